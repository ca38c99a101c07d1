/** Services by the command line, on a host that may run one program. */
import { mkdirSync, realpathSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { liveZone, newFolder, removeFolders, type LiveCommandLine } from './boot-fixtures/command-line.ts'

let zone: LiveCommandLine
/** What may run is not a link. */
const sleep = realpathSync('/bin/sleep')

test.before(async () => {
  const cwd = newFolder()
  mkdirSync(join(cwd, '.zone'))
  writeFileSync(join(cwd, '.zone/zone.yaml'), `processes: { allow: [${sleep}] }\n`)
  zone = await liveZone({ cwd, args: ['--nodes', '1'] })
})
test.after(async () => {
  await zone.stop()
  removeFolders()
})

const write = (name: string, text: string): string => {
  writeFileSync(join(zone.cwd, name), text)
  return name
}

const spec = (name: string, command: string): string => write(`${name}.yaml`, [
  `name: ${name}`, `appid: ${name}`, 'owner: null', 'runtimeType: service', 'kernel: false', 'audiences: []',
  `run: { command: [${command}] }`, '',
].join('\n'))

interface State {
  readonly host: string
  readonly state: string
  readonly processId: number
}
const stateOf = async (name: string): Promise<State | undefined> =>
  ((await zone.json('services', 'show', name))['hosts'] as readonly State[]).find(({ state }) => state === 'serving')

test('a program is added, restarted, stopped, started and removed, each time until it is so', async () => {
  const file = spec('nap', `${sleep}, "600"`)
  const added = await zone.run('services', 'add', file)
  assert.is(added.exitCode, 0, added.stderr)
  assert.match(added.stdout, /^nap added at revision \d+\n[^]*1\/nap +\S+ → serving\nserving on (?:ood1|node1)\n$/)
  const first = await stateOf('nap')
  assert.is(first?.state, 'serving')
  process.kill(first!.processId, 0)
  assert.is((await zone.fails(21, 'services', 'add', file)).code, 'KeyExists')

  assert.equal((await zone.json('services', 'restart', 'nap'))['hosts'], [first?.host])
  const second = await stateOf('nap')
  assert.is.not(second?.processId, first?.processId)
  assert.throws(() => process.kill(first!.processId, 0))

  assert.is((await zone.json('services', 'stop', 'nap'))['state'], 'stopped')
  assert.throws(() => process.kill(second!.processId, 0))
  const listed = (await zone.json('services'))['services'] as readonly Record<string, unknown>[]
  const nap = listed.find(({ name }) => name === 'nap')
  assert.equal([nap?.['wanted'], nap?.['serving'], nap?.['healthy']], ['stopped', 0, true])
  assert.is((await zone.json('status'))['healthy'], true)
  assert.is((await zone.json('services', 'start', 'nap'))['state'], 'serving')
  const third = await stateOf('nap')
  assert.is((await zone.json('services', 'remove', 'nap'))['state'], 'stopped')
  assert.throws(() => process.kill(third!.processId, 0))
  assert.is((await zone.fails(20, 'services', 'show', 'nap')).code, 'NotFound')
  assert.is((await zone.fails(20, 'services', 'stop', 'nap')).code, 'NotFound')
})

test('a service that cannot run is told of, and the zone is not healthy until it is gone', async () => {
  const failure = await zone.fails(23, 'services', 'add', spec('denied', realpathSync('/bin/cat')), '--timeout', '15')
  assert.is(failure.code, 'ServiceNotServing')
  assert.match(`${failure.next}`, /logs denied/)
  const status = await zone.run('status', '--json')
  assert.is(status.exitCode, 22, status.stdout)
  const { healthy, problems } = JSON.parse(status.stdout) as { healthy: boolean; problems: readonly string[] }
  assert.is(healthy, false)
  assert.ok(problems.some((problem) => problem.includes('denied')), problems.join('; '))
  assert.match(status.stderr, /^error: The zone is not healthy: /)
  await zone.json('services', 'remove', 'denied')
})

test('a host is killed and comes back, and an actor that several hosts have has to be said with its host', async () => {
  const killed = await zone.run('kill', 'node1')
  assert.is(killed.exitCode, 0, killed.stderr)
  assert.match(killed.stdout, /^Killed node1\n[^]*serves again after \d+ ms\n$/)
  const [host] = (await zone.json('ps', 'node1'))['hosts'] as readonly { starts: number; state: string }[]
  assert.equal([host?.starts, host?.state], [2, 'serving'])
  assert.match(`${(await zone.fails(2, 'kill', 'node-daemon')).next}`, /ood1\/node-daemon, node1\/node-daemon/)
  assert.is((await zone.run('kill', 'node1/node-daemon')).exitCode, 0)
  // Not one of these is without its own control plane for long
  const whole = await zone.run('kill', 'ood1')
  assert.is(whole.exitCode, 0, whole.stderr)
  assert.is((await zone.run('status')).exitCode, 0)
})

test('a spec that is wrong is told by file, line and field, and nothing is written', async () => {
  const wrong = await zone.fails(3, 'services', 'add', write('wrong.yaml', 'name: web\nappid: web\nowners: null\n'))
  assert.match(wrong.message, /wrong\.yaml:\d: \w+: /)
  assert.match(`${wrong.next}`, /^Fields are name, [^]*, run, http$/)
  await zone.fails(20, 'services', 'show', 'web')
  await zone.fails(2, 'services', 'add', 'absent.yaml')
  await zone.fails(2, 'services', 'show', 'a/b')
})

test.run()
