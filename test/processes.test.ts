/** The life of a service that is a program: what starts it, what ends it, and what comes then. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { readFileSync, realpathSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { limits } from '../runtime/limits.ts'
import {
  chmodSync, env, fault, freePort, has, isAlive, join, mkdirSync, PATH, pause, rmSync, serverCommand, SH, shell,
  until, withProcesses, writeFileSync,
} from './processes-fixture.ts'

const test = suite('a process')
const readLines = (path: string): string[] => readFileSync(path, 'utf8').trim().split('\n')
const healthy = (port: number, more: { everyMs?: number; startMs?: number; path?: string } = {}) =>
  ({ port, path: '/', everyMs: 100, startMs: 10_000, ...more })

test('that needs no health page serves once it has run for a moment, and stops when it is asked', () =>
  withProcesses(async ({ processes, states, state, folder, log }) => {
    const script = 'trap "echo bye; exit 0" TERM; echo hello; pwd > where; while :; do sleep 0.05; done'
    await processes.start('notes', shell(script), env())
    const [found] = processes.list()
    assert.is(found?.state, 'serving')
    assert.is(found?.incarnation, 1)
    assert.ok(isAlive(found!.processId!))
    await until(() => has(join(folder, 'notes', 'where')), 'it starts in its own folder')
    await processes.stop('notes')
    assert.is(states('notes'), 'starting serving stopping stopped')
    assert.is(state('notes'), 'stopped')
    assert.not(isAlive(found!.processId!))
    assert.is(processes.list()[0]?.processId, undefined)
    await until(() => /hello[^]*bye/.test(log('notes')), `its lines: ${log('notes')}`)
  }))

test('is told by its lines, those of stderr as warnings', () => withProcesses(async ({ processes, logs, log }) => {
  await processes.start('notes', shell('echo one; echo two >&2; printf "three\\r\\nfour"; exec sleep 60'), env())
  await until(() => /three/.test(log('notes')), 'what it says')
  await processes.stop('notes')
  await until(() => /four/.test(log('notes')), 'the last line, which never ended')
  const told = logs.filter(({ message }) => /^(?:one|two|three|four)$/.test(message))
  assert.equal(told.map(({ level, message }) => `${level} ${message}`).sort(),
    ['info four', 'info one', 'info three', 'warn two'])
}))

test('that ends before it serves has failed, and whoever started it is told why', () =>
  withProcesses(async ({ processes, states, state }) => {
    const error = await fault(processes.start('notes', shell('exit 7'), env()))
    assert.is(error.code, 'StartFailed')
    assert.match(error.message, /notes ended as it started: exited with code 7/)
    assert.is(error.details['command'], SH)
    assert.is(states('notes'), 'starting failed')
    assert.is(state('notes'), 'failed')
    await processes.start('notes', shell('exec sleep 60'), env())
    assert.is(state('notes'), 'serving')
  }))

test('that crashes is restarted with a fresh environment, ever later, until that is too often', () =>
  withProcesses(async ({ processes, events, states, state, folder }) => {
    let asked = 0
    const fresh = async () => ({ ...PATH, TOKEN: `token-${++asked}` })
    const script = 'echo $TOKEN >> tokens; sleep 0.4; exit 3'
    await processes.start('notes', shell(script), fresh)
    await until(() => state('notes') === 'failed', 'given up', 20_000)
    assert.is(states('notes'),
      `${'starting serving died restarting '.repeat(5)}starting serving died failed`)
    const [last] = processes.list()
    assert.match(last!.reason, /notes died more than 5 times in 60 s: exited with code 3/)
    assert.is(last!.incarnation, 6)
    assert.is(asked, 6)
    assert.equal(readLines(join(folder, 'notes', 'tokens')), [1, 2, 3, 4, 5, 6].map((each) => `token-${each}`))
    const at = (wanted: string) => events.filter((event) => event.state === wanted).map((event) => event.at)
    const waits = at('starting').slice(1).map((started, index) => started - at('restarting')[index]!)
    assert.ok(waits[4]! > 2 * waits[0]! && waits[4]! >= 400, `back-off: ${waits.join()}`)
  }))

test('may be stopped while it waits to be restarted, and starts no more', () =>
  withProcesses(async ({ processes, state, states }) => {
    await processes.start('notes', shell('sleep 0.3; exit 1'), env())
    await until(() => state('notes') === 'restarting', 'restarting')
    await until(() => processes.list()[0]!.incarnation === 3 && state('notes') === 'restarting', 'restarting again')
    await processes.stop('notes')
    assert.is(state('notes'), 'stopped')
    const told = states('notes')
    await pause(600)
    assert.is(states('notes'), told)
  }))

test('may be stopped while it starts: whoever waits for it is told', () =>
  withProcesses(async ({ processes, state }) => {
    const port = await freePort()
    const starting = processes.start('notes', shell('exec sleep 60', { health: healthy(port) }), env())
    const failing = fault(starting)
    await until(() => processes.list()[0]?.processId !== undefined, 'spawned')
    const id = processes.list()[0]!.processId!
    await processes.stop('notes')
    assert.match((await failing).message, /notes was stopped/)
    assert.is(state('notes'), 'stopped')
    assert.not(isAlive(id))
  }))

test('may be stopped before it has an environment, and is never run', () =>
  withProcesses(async ({ processes, state, folder }) => {
    let give: (value: Record<string, string>) => void = () => {}
    const failing = fault(processes.start('notes', shell('touch ran; exec sleep 60'), () => new Promise((resolve) => {
      give = resolve
    })))
    await pause(200)
    await processes.stop('notes')
    give(PATH)
    await failing
    await pause(300)
    assert.is(state('notes'), 'stopped')
    assert.not(has(join(folder, 'notes', 'ran')))
  }))

test('that is killed dies, and comes back', () => withProcesses(async ({ processes, states, state }) => {
  await processes.start('notes', shell('exec sleep 60'), env())
  const id = processes.list()[0]!.processId!
  await processes.kill('notes')
  await until(() => state('notes') === 'serving' && processes.list()[0]!.incarnation === 2, 'serving again')
  assert.not(isAlive(id))
  assert.match(states('notes'), /^starting serving died restarting starting serving$/)
}))

test('serves when its health page says so, and dies when it misses too often in a row', () =>
  withProcesses(async ({ processes, state, folder, events }) => {
    const port = await freePort()
    // Deno wants a home; no path from above leads to the folder of a service that has a user of its own
    const home = env({ ...PATH, HOME: '/proc/self/cwd' })
    await processes.start('web', { command: serverCommand(port), health: healthy(port), stopMs: 2_000 }, home)
    const first = processes.list()[0]!.processId!
    // One miss, now and then, is none
    for (let round = 0; round < 3; round++) {
      writeFileSync(join(folder, 'web', 'sick'), '')
      await pause(120)
      rmSync(join(folder, 'web', 'sick'))
      await pause(250)
    }
    assert.is(state('web'), 'serving')
    assert.is(processes.list()[0]!.processId, first)
    writeFileSync(join(folder, 'web', 'sick'), '')
    await until(() => state('web') !== 'serving', 'unhealthy')
    const died = events.find((event) => event.state === 'died')
    assert.match(died?.reason ?? '', /not healthy: its health page answers 500/)
    rmSync(join(folder, 'web', 'sick'))
    await until(() => state('web') === 'serving', 'healthy again')
    assert.is.not(processes.list()[0]!.processId, first)
    assert.not(isAlive(first))
  }))

test('that never becomes healthy has failed, and holds up no other', () =>
  withProcesses(async ({ processes, state }) => {
    const port = await freePort()
    const health = healthy(port, { startMs: 1_500 })
    const failing = fault(processes.start('web', shell('exec sleep 60', { health }), env()))
    const began = performance.now()
    await processes.start('notes', shell('exec sleep 60'), env())
    assert.ok(performance.now() - began < 1_400)
    assert.is(state('web'), 'starting')
    const id = processes.list()[0]!.processId!
    const { code, message, details } = await failing
    assert.is(code, 'StartFailed')
    assert.match(message, /web was not healthy within 1500 ms: /)
    assert.match(String(details['next']), new RegExp(`port ${port}/`))
    assert.is(state('web'), 'failed')
    assert.not(isAlive(id), 'what never served is ended')
    assert.is(state('notes'), 'serving')
  }))

test('whose command cannot be run says which, and what to do', () => withProcesses(async ({ processes, folder }) => {
  const start = (path: string) => fault(processes.start('notes', { command: [path], health: null, stopMs: 500 }, env()))
  const place = join(folder, '..', 'programs')
  mkdirSync(place)
  writeFileSync(join(place, 'plain'), 'x')
  writeFileSync(join(place, 'lost'), '#!/no/such/interpreter\n')
  chmodSync(join(place, 'lost'), 0o755)
  symlinkSync(SH, join(place, 'link'))
  for (const [path, code, pattern] of [
    [join(place, 'absent'), 'StartFailed', /there is no such program/],
    [join(place, 'plain'), 'StartFailed', /it is not executable/],
    [place, 'StartFailed', /it is not executable/],
    [join(place, 'link'), 'ProcessNotAllowed', /its command is a link: .* leads to/],
    [`${place}/../programs/plain`, 'ProcessNotAllowed', /no absolute path without/],
    ['sh', 'ProcessNotAllowed', /no absolute path/],
    ['/usr/bin/env', 'ProcessNotAllowed', /processes.allow does not name \/usr\/bin\/env/],
  ] as const) {
    const error = await start(path)
    assert.is(error.code, code, `${path}: ${error.message}`)
    assert.match(error.message, pattern)
    assert.match(error.message, /^notes /)
    assert.is(error.details['command'], path)
    assert.ok(error.details['next'])
    assert.is(processes.list()[0]?.state, 'failed')
  }
  const error = await start('/usr/bin/env')
  assert.match(String(error.details['next']), /Add \/usr\/bin\/env to processes.allow in zone.yaml/)
  const { code } = await start(join(place, 'lost'))
  assert.is(code, 'StartFailed')
}, { allow: [`${realpathSync(tmpdir())}/*`, SH] }))

test('is given its environment and nothing else', () => withProcesses(async ({ processes, folder }) => {
  const given = env({ ...PATH, SECRET: 'planted' })
  await processes.start('notes', shell('env > env; echo done > done; exec sleep 60'), given)
  await until(() => has(join(folder, 'notes', 'done')), 'its environment')
  const found = readLines(join(folder, 'notes', 'env')).map((line) => line.split('=')[0]).sort()
  assert.equal(found.filter((name) => !['PWD', 'OLDPWD', '_', 'SHLVL'].includes(name!)),
    ['PATH', 'SECRET', 'ZONEWRIGHT_GATEWAY', 'ZONEWRIGHT_RUN'])
}, { address: () => 'http://127.0.0.1:1' }))

test('has an environment that no error tells', () => withProcesses(async ({ processes, logs }) => {
  const error = await fault(processes.start('notes', shell('exit 0'), env({ ...PATH, TOKEN: 'planted\0secret' })))
  assert.is(error.code, 'StartFailed')
  assert.not.match(JSON.stringify([error.message, error.details, logs, processes.list()]), /planted/)
}))

test('may not be given other code by its environment', () => withProcesses(async ({ processes }) => {
  for (const name of [
    'LD_PRELOAD', 'DYLD_INSERT_LIBRARIES', 'GCONV_PATH', 'GLIBC_TUNABLES', 'LOCPATH', 'NODE_OPTIONS', 'NODE_PATH',
    'BASH_ENV', 'PYTHONPATH', 'PERL5OPT', 'RUBYOPT', 'JAVA_TOOL_OPTIONS', '_JAVA_OPTIONS', 'JDK_JAVA_OPTIONS',
  ]) {
    const error = await fault(processes.start('notes', shell('exec sleep 60'), env({ ...PATH, [name]: '/tmp/x' })))
    assert.is(error.code, 'ProcessNotAllowed', name)
    assert.match(error.message, new RegExp(`its environment sets ${name},`))
  }
}))

let address: string | undefined
test('waits for the gateway that starts beside it', () => withProcesses(async ({ processes, folder }) => {
  setTimeout(() => { address = 'http://127.0.0.1:1' }, 400)
  await processes.start('notes', shell('echo $ZONEWRIGHT_GATEWAY > gateway; exec sleep 60'), env())
  await until(() => has(join(folder, 'notes', 'gateway')), 'the address')
  assert.equal(readLines(join(folder, 'notes', 'gateway')), ['http://127.0.0.1:1'])
}, { address: () => address }))

test('that is killed as it starts has failed', () => withProcesses(async ({ processes, state }) => {
  const failing = fault(processes.start('web', shell('exec sleep 60', { health: healthy(await freePort()) }), env()))
  await until(() => processes.list()[0]?.processId !== undefined, 'spawned')
  const id = processes.list()[0]!.processId!
  await processes.kill('web')
  assert.match((await failing).message, /web ended as it started: killed/)
  assert.is(state('web'), 'failed')
  assert.not(isAlive(id))
}))

test('is forgotten when it does not run and others come: a host knows so many', () =>
  withProcesses(async ({ processes, state }) => {
    await processes.start('kept', shell('exec sleep 60'), env())
    for (let index = 0; index < limits.processes; index++)
      await fault(processes.start(`n${index}`, { command: ['x'], health: null, stopMs: 100 }, env()))
    assert.is(processes.list().length, limits.processes)
    assert.is(state('kept'), 'serving')
    assert.equal([state('n0'), state('n1')], ['', 'failed'])
  }))

test('has a name that can be one of a folder', () => withProcesses(async ({ processes }) => {
  for (const name of ['..', 'a/b', '', 'A', 'processes.json', 'x'.repeat(64)])
    assert.is((await fault(processes.start(name, shell('exit 0'), env()))).code, 'InvalidArgument', name)
}))

test('starts no more once its host has closed', () => withProcesses(async ({ processes, state }) => {
  await processes.start('notes', shell('exec sleep 60'), env())
  const id = processes.list()[0]!.processId!
  await processes.close()
  assert.not(isAlive(id))
  assert.is(state('notes'), 'stopped')
  assert.is((await fault(processes.start('notes', shell('exit 0'), env()))).code, 'StartFailed')
}))

test.run()

