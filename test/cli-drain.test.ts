/** Where services run, by the command line: hosts with labels and room, and a host that is drained. */
import { mkdirSync, realpathSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { liveZone, newFolder, removeFolders, type LiveCommandLine } from './boot-fixtures/command-line.ts'

let zone: LiveCommandLine
const sleep = realpathSync('/bin/sleep')

test.before(async () => {
  const cwd = newFolder()
  mkdirSync(join(cwd, '.zone'))
  writeFileSync(join(cwd, '.zone/zone.yaml'), [
    `processes: { allow: [${sleep}] }`, 'labels: { disk: ssd }', 'capacity: { memoryBytes: 1000000000 }', '',
  ].join('\n'))
  zone = await liveZone({ cwd, args: ['--nodes', '1'] })
})
test.after(async () => {
  await zone.stop()
  removeFolders()
})

const spec = (name: string, more: object): string => {
  writeFileSync(join(zone.cwd, `${name}.json`), JSON.stringify({
    name, appid: name, owner: null, runtimeType: 'service', kernel: false, audiences: [],
    run: { command: [sleep, '600'] }, ...more,
  }))
  return `${name}.json`
}
const placedOn = async (name: string): Promise<unknown> => (await zone.json('services', 'show', name))['placed']
interface Node {
  readonly name: string
  readonly use: Readonly<Record<string, unknown>>
  readonly info: { readonly labels: unknown } | null
}
const nodeNamed = async (name: string): Promise<Node | undefined> =>
  ((await zone.json('nodes'))['nodes'] as readonly Node[]).find((each) => each.name === name)

test('a host tells its labels and what it has, and what does not fit anywhere is said, and why', async () => {
  const added = await zone.run('services', 'add', spec('wide', {
    labels: { disk: 'ssd' }, resources: { memoryBytes: 600_000_000, processors: 1 },
  }))
  assert.is(added.exitCode, 0, added.stderr)
  const second = await zone.fails(23, 'services', 'add', spec('wider', {
    labels: { disk: 'ssd' }, resources: { memoryBytes: 600_000_000 }, replicas: 2,
  }), '--timeout', '3')
  assert.match(second.message, /1 of 2 without a host: no other host has room for 572 MiB: at most 381 MiB/)
  const shown = await zone.json('services', 'show', 'wider')
  assert.equal([shown['missing'], (shown['placed'] as unknown[]).length], [1, 1])
  assert.is((await zone.json('services', 'remove', 'wider'))['state'], 'stopped')
  const [host] = await placedOn('wide') as readonly string[]
  const node = await nodeNamed(host!)
  assert.equal(node?.info?.labels, { disk: 'ssd' })
  assert.equal([node?.use['memoryBytes'], node?.use['processors']], [600_000_000, 1])
  assert.match((await zone.run('nodes')).stdout, /60 %[^\n]*disk=ssd/)
})

test('a host that is drained is empty once its services serve elsewhere, and gets nothing meanwhile', async () => {
  assert.is((await zone.run('services', 'add', spec('a', {}))).exitCode, 0)
  const [from] = await placedOn('wide') as readonly string[]
  const drained = await zone.run('drain', 'node1', '--wait', '--timeout', '30')
  assert.is(drained.exitCode, 0, drained.stderr)
  assert.match(drained.stdout, /^Nothing new comes to node1, and \d services? (?:is|are) on the way elsewhere\n/)
  assert.match(drained.stdout, /\n {2}\w+ {2}node1 → ood1\n[^]*empty: nothing of the zone's runs there\n$/)
  assert.equal([await placedOn('a'), await placedOn('wide')], [['ood1'], ['ood1']])
  assert.is((await nodeNamed('node1'))?.use['wanted'], 'draining')
  assert.is((await zone.run('services', 'add', spec('b', {}))).exitCode, 0)
  assert.equal(await placedOn('b'), ['ood1'])
  assert.equal((await zone.json('drain', 'node1'))['placed'], [], 'again is no error')
  assert.is((await zone.json('undrain', 'node1'))['state'], 'running')
  assert.equal(await placedOn('a'), ['ood1'], 'nothing moves back')
  assert.is((await zone.run('services', 'add', spec('c', {}))).exitCode, 0)
  assert.equal(await placedOn('c'), ['node1'])
  assert.ok(from)
})

test('what cannot leave a host stays and is said, with an exit code for who waits', async () => {
  const failed = await zone.run('drain', 'ood1', '--wait', '--timeout', '20', '--json')
  assert.is(failed.exitCode, 55, failed.stderr)
  const { placed, empty } = JSON.parse(failed.stdout) as { placed: { name: string; reason: string }[]; empty: boolean }
  assert.is(empty, false)
  assert.ok(placed.some(({ name, reason }) =>
    name === 'verify-hub' && reason === 'it runs on OODs only, and there is no other OOD'), failed.stdout)
  assert.equal(await placedOn('a'), ['node1'])
  assert.is((await zone.json('undrain', 'ood1'))['state'], 'running')
})

test('a host that there is not is not drained', async () => {
  assert.is((await zone.fails(20, 'drain', 'node9')).code, 'NotFound')
  assert.is((await zone.fails(20, 'undrain', 'node9')).code, 'NotFound')
})

test.run()
