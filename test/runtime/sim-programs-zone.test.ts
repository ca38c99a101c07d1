/** Services that are programs in a whole zone, in virtual time: from a spec in `kv://` to what runs, and back. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { limits } from '../../runtime/limits.ts'
import { Programs } from '../../runtime/sim/programs.ts'
import { simulate } from '../../runtime/sim/simulate.ts'
import { readyPrograms } from '../boot-fixtures/programs.ts'
import { bootPrograms, inProgramZone, zoneModules, type ProgramZone } from '../boot-fixtures/simulated-programs.ts'
import { pause } from './sim-fixture.ts'
import { isChild, otherProcesses } from '../other-runtimes.ts'

const SOURCE = 'test/runtime/sim-programs-zone.test.ts'
const HEALTH = { health: { http: { port: 8_000, path: '/' } } }
const LIMIT = /^crash died more than 5 times in 60 s: exited with code 3$/

const serves = ({ until, serving }: ProgramZone, name: string, count = 1) =>
  until(`${name} serves`, () => serving(name).length === count)
const idOf = ({ serving }: ProgramZone, name: string): number => serving(name)[0]!.processId!
const environment = ({ programs }: ProgramZone, id: number) =>
  programs.running().find(({ processId }) => processId === id)!.env
const replaced = (live: ProgramZone, name: string, id: number) =>
  live.until(`${name} is replaced`, () => live.serving(name).some(({ processId }) => processId !== id))

/** What a program goes through that serves and then exits with code 3, again and again: in virtual milliseconds. */
async function crashing(seed: number) {
  let died: number[] = []
  let started: number[] = []
  let failed: number[] = []
  let reasons: string[] = []
  const { hash } = await inProgramZone({ seed, nodes: 1 }, async (live) => {
    await live.install('crash', '/opt/exits 400 3')
    await live.until('it failed', () => live.found('crash').some(({ state }) => state === 'failed'))
    await live.until('it is tried again', () => live.states('crash').at(-1) === 'serving 7')
    const at = (which: string): number[] => live.events.filter(({ actor, state }) => actor === 'crash'
      && state === which).map((event) => event.at)
    ;[died, started, failed] = [at('died'), at('starting'), at('failed')]
    reasons = live.events.filter(({ actor, state }) => actor === 'crash' && state === 'failed')
      .map(({ reason }) => reason)
  })
  return { hash, died, started, failed, reasons }
}

function defineTests(): void {
  const test = suite('simulated programs in a zone')

  test('a service is started where it is placed, with the documented environment, and answers there', async () => {
    const seen: unknown[] = []
    await inProgramZone({ seed: 1, nodes: 1 }, async (live) => {
      await live.install('web', '/opt/web 8000', { ...HEALTH, env: { PLAIN: 'yes', ZONEWRIGHT_HOST: 'forged' } })
      await serves(live, 'web')
      const env = environment(live, idOf(live, 'web'))
      const [{ host } = { host: '' }] = live.serving('web')
      seen.push(Object.keys(env).sort(), env['ZONEWRIGHT_HOST'] === host, env['ZONEWRIGHT_GATEWAY']
        === `http://127.0.0.1:${live.zone.address.port}`)
      const page = await live.world.http('ood1', 8_000, {
        method: 'GET', path: '/', query: '', headers: {}, body: new Uint8Array(), remoteAddress: '-',
      })
      seen.push(page.body, live.states('web'), live.log('web').at(-1))
    })
    assert.equal(seen, [[
      'BUCKYOS_APP_ID', 'BUCKYOS_THIS_DEVICE', 'BUCKYOS_ZONE_CONFIG', 'PLAIN', 'WEB_SESSION_TOKEN',
      'ZONEWRIGHT_GATEWAY', 'ZONEWRIGHT_HOST', 'ZONEWRIGHT_RUN', 'ZONEWRIGHT_SERVICE', 'ZONEWRIGHT_ZONE',
    ], true, true, 'web', ['starting 1', 'serving 1'], 'listening on 8000'])
  })

  test('one that is killed comes back with another token, whoever killed it', async () => {
    const seen: unknown[] = []
    await inProgramZone({ seed: 2, nodes: 1 }, async (live) => {
      await live.install('web', '/opt/web 8000', HEALTH)
      await serves(live, 'web')
      for (const byZone of [true, false]) {
        const [{ host, processId } = { host: '', processId: 0 }] = live.serving('web')
        const token = environment(live, processId!)['WEB_SESSION_TOKEN']
        if (byZone) await live.zone.killHost(host, 'web')
        else live.programs.kill(processId!)
        const tookMs = await replaced(live, 'web', processId!)
        seen.push(tookMs < 1_000, environment(live, idOf(live, 'web'))['WEB_SESSION_TOKEN'] !== token)
      }
      seen.push(live.programs.running().length, live.states('web').filter((state) => /died|serving/.test(state)))
    })
    assert.equal(seen, [true, true, true, true, 1, ['serving 1', 'died 1', 'serving 2', 'died 2', 'serving 3']])
  })

  test('one that exits too often stays down at its last exit, and the daemon tries it in its next round', async () => {
    const { died, started, failed, reasons } = await crashing(3)
    assert.equal([died.length, started.length, failed.length], [limits.restarts + 1, limits.restarts + 2, 1])
    assert.match(reasons[0]!, LIMIT)
    // Each wait is twice the one before, half of it random; with it goes the look whether all of it has ended
    for (const [index, at] of died.slice(0, limits.restarts).entries()) {
      const waitedMs = started[index + 1]! - at
      const mostMs = limits.restartBackoffMsMin * 2 ** index
      assert.ok(waitedMs >= mostMs / 2 && waitedMs <= mostMs + 7, `${waitedMs} of ${mostMs} ms`)
    }
    const lookMs = failed[0]! - died.at(-1)!
    assert.ok(lookMs >= 0 && lookMs <= 6, `${lookMs} ms`)
    const roundMs = started.at(-1)! - started[0]!
    assert.ok(roundMs >= limits.convergeRoundMs && roundMs < limits.convergeRoundMs + 50, `${roundMs} ms`)
  })

  test('a changed spec replaces what runs of it, after that has ended, and touches no other', async () => {
    const seen: unknown[] = []
    await inProgramZone({ seed: 4 }, async (live) => {
      await live.install('web', '/opt/web 8000 700', HEALTH)
      await live.install('notes', '/opt/idle')
      await Promise.all([serves(live, 'web'), serves(live, 'notes')])
      const [old, notes] = [idOf(live, 'web'), idOf(live, 'notes')]
      await live.install('web', '/opt/web 8000 1', HEALTH)
      const tookMs = await replaced(live, 'web', old)
      const again = idOf(live, 'web')
      await live.install('web', '/opt/web 8000 1', HEALTH, { generation: 1 })
      await replaced(live, 'web', again)
      seen.push(tookMs >= 700 && tookMs < 2_000, idOf(live, 'notes') === notes)
      seen.push(live.log('web').filter((line) => /^(listening|saving)/.test(line)))
      await live.install('web', '/opt/web 8000 1', HEALTH, { state: 'stopped' })
      await live.until('it is stopped', () => live.found('web').every(({ state }) => state === 'stopped'))
      seen.push(live.programs.running().map(({ command: [path] }) => path))
    })
    const line = 'listening on 8000'
    assert.equal(seen, [true, true, [line, 'saving', line, 'saving', line], ['/opt/idle']])
  })

  test('one that answers no more is restarted, one that never answers is given up and tried again', async () => {
    const seen: unknown[] = []
    let frozenMs = 0
    await inProgramZone({ seed: 5 }, async (live) => {
      await live.install('web', '/opt/web 8000', { ...HEALTH, stopMs: 1_000 })
      await serves(live, 'web')
      const id = idOf(live, 'web')
      live.programs.freeze(id)
      frozenMs = await replaced(live, 'web', id)
      await live.install('sick', '/opt/sick 8001', { health: { http: { port: 8_001, path: '/' }, startMs: 3_000 } })
      await live.until('it is given up', () => live.found('sick').some(({ state }) => state === 'failed'))
      seen.push(live.found('sick')[0]!.reason)
      await live.until('it is tried again', () => live.states('sick').includes('starting 2'))
      await live.install('sick', '/opt/web 8001', { health: { http: { port: 8_001, path: '/' } } })
      await serves(live, 'sick')
      seen.push(live.events.find(({ actor, state }) => actor === 'web' && state === 'died')?.reason)
    })
    const { healthMisses, healthAnswerMs, healthMs } = limits
    const leastMs = healthMisses * healthAnswerMs + (healthMisses - 1) * healthMs + 1_000
    assert.ok(frozenMs >= leastMs && frozenMs < leastMs + healthMs + 500, `${frozenMs} ms`)
    assert.equal(seen, [
      'sick was not healthy within 3000 ms: its health page answers 503',
      'not healthy: No answer from 127.0.0.1:8000 within 2000 ms',
    ])
  })

  test('while the system starts nothing the daemon tries at a slower and slower pace, until it is over', async () => {
    let attempts: number[] = []
    await inProgramZone({ seed: 6 }, async (live) => {
      live.programs.failStarts('ood1', 'EAGAIN')
      await live.install('notes', '/opt/idle')
      await pause(live.world, 20_000)
      live.programs.failStarts('ood1', undefined)
      await serves(live, 'notes')
      attempts = live.events.filter(({ actor, state }) => actor === 'notes' && state === 'starting').map(({ at }) => at)
    })
    const waits = attempts.slice(1).map((at, index) => at - attempts[index]!)
    assert.is(waits.length, 5)
    // Doubled from twice convergeRetryMs up to the daemon's next round
    for (const [index, ms] of waits.slice(0, 4).entries()) {
      const least = limits.convergeRetryMs * 2 ** (index + 1)
      assert.ok(ms >= least && ms < least + 60, waits.join())
    }
  })

  test('replicas run on as many hosts, and what a host does not allow is not run', async () => {
    const seen: unknown[] = []
    await inProgramZone({ seed: 7, nodes: 2, allow: ['/opt/idle'], user: 0 }, async (live) => {
      await live.install('twice', '/opt/idle', {}, { replicas: 2 })
      await live.install('other', '/opt/deaf')
      await serves(live, 'twice', 2)
      await live.until('it is refused', () => live.found('other').some(({ state }) => state === 'failed'))
      seen.push(new Set(live.serving('twice').map(({ host }) => host)).size, live.found('other')[0]!.reason)
      seen.push(new Set(live.programs.running().map(({ env }) => env['ZONEWRIGHT_HOST'])).size)
      seen.push(live.programs.running().every(({ user }) => user !== undefined))
    })
    assert.equal(seen, [2, 'other may not run here: processes.allow does not name /opt/deaf', 2, true])
  })

  test('a zone that is killed leaves what left its group; its next start ends that, and starts all again', async () => {
    const seen: unknown[] = []
    const programs = new Programs(readyPrograms)
    const modules = await zoneModules()
    const bounds = { maxEvents: 1_000_000, maxVirtualMs: 600_000 }
    await simulate({ seed: 8, keys: 'cheap', modules, programs, ...bounds }, async (world) => {
      const first = await bootPrograms(world, programs, {})
      await first.install('web', '/opt/web 8000', HEALTH)
      await first.install('notes', '/opt/family')
      await Promise.all([serves(first, 'web'), serves(first, 'notes')])
      first.process.kill()
      await pause(world, 100)
      seen.push(programs.running().map(({ command: [path] }) => path))
      const [{ processId: stray } = { processId: 0 }] = programs.running()
      const second = await bootPrograms(world, programs, {})
      await Promise.all([serves(second, 'web'), serves(second, 'notes')])
      seen.push(second.log('supervisor'), programs.running().some(({ processId }) => processId === stray))
      await second.zone.stop()
      seen.push(programs.running())
    })
    const told = ['Processes that an earlier start had left were ended: 1']
    assert.equal(seen, [['/opt/family'], told, false, []])
  })

  test('a host that is killed loses its programs, and has them back when it serves again', async () => {
    const seen: unknown[] = []
    await inProgramZone({ seed: 9, nodes: 1 }, async (live) => {
      await live.install('notes', '/opt/family', { stopMs: 300 })
      await serves(live, 'notes')
      const before = live.programs.running().map(({ processId }) => processId)
      await live.zone.killHost(live.serving('notes')[0]!.host)
      seen.push(live.programs.running().length)
      await serves(live, 'notes')
      seen.push(live.programs.running().some(({ processId }) => before.includes(processId)))
    })
    assert.equal(seen, [0, false])
  })

  test('the same seed gives the same trace, and another seed another', async () => {
    assert.equal(await crashing(3), await crashing(3))
    assert.is.not((await crashing(4)).hash, (await crashing(3)).hash)
  })

  for (const { name, output } of otherProcesses(SOURCE)) {
    test(`programs give the same trace in ${name}`, async () => {
      assert.equal(JSON.parse(output()), await crashing(3))
    })
  }

  test.run()
}

if (isChild) console.log(JSON.stringify(await crashing(3)))
else defineTests()
