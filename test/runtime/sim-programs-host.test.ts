/** Programs of one simulated host, driven by the real code that starts, watches and ends services. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { StartFailed } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import { serviceUsers } from '../../runtime/process/ledger.ts'
import { Programs, type Behaviour } from '../../runtime/sim/programs.ts'
import { readyPrograms } from '../boot-fixtures/programs.ts'
import { failureOf, pause, simulateWith } from './sim-fixture.ts'
import { FOLDER, healthAt, HOST, inScene, messageOf, noEnv, start } from './sim-programs-fixture.ts'

const test = suite('simulated programs of a host')

test('one serves once its page answers, prints, and ends by itself when it is asked', async () => {
  const seen: unknown[] = []
  await inScene({}, async ({ world, supervising, running }) => {
    const { processes, log, states } = supervising()
    await processes.start('web', start('/opt/web 80 300', { health: healthAt(80) }), async () => ({ GREETING: 'hi' }))
    const page = await world.http(HOST, 80, {
      method: 'GET', path: '/', query: '', headers: {}, body: new Uint8Array(), remoteAddress: '-',
    })
    const began = world.clock.monotonic()
    await processes.stop('web')
    const tookMs = world.clock.monotonic() - began
    seen.push(page.status, states('web'), log('web').slice(1), running(), tookMs >= 300 && tookMs < 400)
  })
  assert.equal(seen, [200, 'starting serving stopping stopped', ['listening on 80', 'saving'], '', true])
})

test('one that ignores SIGTERM is killed when its time is over', async () => {
  let tookMs = 0
  let lines: readonly string[] = []
  await inScene({}, async ({ world, supervising, running }) => {
    const { processes, log } = supervising()
    await processes.start('notes', start('/opt/deaf', { stopMs: 400 }), noEnv)
    const began = world.clock.monotonic()
    await processes.stop('notes')
    tookMs = world.clock.monotonic() - began
    lines = [...log('notes').slice(1), running()]
  })
  assert.ok(tookMs >= 400 && tookMs < 450, `${tookMs} ms`)
  assert.equal(lines, ['not now', 'It did not end within 400 ms of SIGTERM, and was killed', ''])
})

test('one that is never well, whose port is taken, that throws, or that ends at once did not start', async () => {
  const seen: string[] = []
  await inScene({}, async ({ supervising, running }) => {
    const { processes, log } = supervising()
    await processes.start('first', start('/opt/web 80'), noEnv)
    for (const command of ['/opt/sick 81', '/opt/web 80', '/opt/broken', '/opt/exits 20 7']) {
      const health = command.endsWith('81') ? { health: healthAt(81) } : {}
      seen.push(await messageOf(processes.start('notes', start(command, health), noEnv)))
    }
    seen.push(...log('notes'), running())
  })
  assert.equal(seen, [
    'StartFailed: notes was not healthy within 2000 ms: its health page answers 503',
    'StartFailed: notes ended as it started: exited with code 1',
    'StartFailed: notes ended as it started: exited with code 1',
    'StartFailed: notes ended as it started: exited with code 7',
    'listening on 81', 'The port is in use: 80', 'Uncaught: no such setting', '/opt/web',
  ])
})

test('of one that prints without end as many lines are told as the limit, and the others are counted', async () => {
  let [told, dropped, last] = [0, 0, 0]
  await inScene({}, async ({ world, supervising }) => {
    const { processes, log } = supervising()
    await processes.start('flood', start('/opt/flood 25'), noEnv)
    await pause(world, 3_000)
    await processes.stop('flood')
    await pause(world, 1_000)
    const numbers = log('flood').filter((line) => /^\d+$/.test(line)).map(Number)
    told = numbers.length
    last = numbers.at(-1)!
    dropped = log('flood').map((line) => Number(/^(\d+) lines were dropped/.exec(line)?.[1] ?? 0))
      .reduce((sum, count) => sum + count)
  })
  assert.ok(told >= 3 * limits.processLines && told <= 4 * limits.processLines, `${told} told`)
  // 25 every 10 ms, each of which was told or counted
  assert.ok(dropped > 3_000 && told + dropped > last && (told + dropped) % 25 === 0, `${told} ${dropped} ${last}`)
})

test('what one forks ends with it, also what left its group, and also when it crashed', async () => {
  const seen: string[] = []
  await inScene({}, async ({ supervising, running, until, programs }) => {
    const { processes } = supervising()
    await processes.start('notes', start('/opt/family', { stopMs: 100 }), noEnv)
    const [leader, child, stray] = programs.running()
    seen.push(running(), String([child!.group === leader!.group, stray!.group === stray!.processId]))
    await processes.stop('notes')
    seen.push(running())
    await processes.start('notes', start('/opt/family', { stopMs: 100 }), noEnv)
    const before = programs.running().map(({ processId }) => processId)
    programs.kill(before[0]!)
    await until('another', () => processes.list()[0]!.incarnation === 3 && programs.running().length === 3)
    seen.push(String(programs.running().some(({ processId }) => before.includes(processId))))
    await processes.close()
  })
  assert.equal(seen, ['/opt/family /opt/family /opt/family', 'true,true', '', 'false'])
})

test('what its supervisor leaves ends with that, but for what left its group: the next start ends it', async () => {
  const seen: unknown[] = []
  await inScene({}, async ({ world, supervising, running, programs }) => {
    const first = supervising()
    await first.processes.start('notes', start('/opt/family'), noEnv)
    await first.processes.start('web', start('/opt/web 80'), noEnv)
    const stray = programs.running()[2]!.processId
    first.process.kill()
    seen.push(programs.running().length)
    await pause(world, 30)
    seen.push(running(), programs.running()[0]?.processId === stray)
    await pause(world, 60_000)
    const second = supervising()
    await second.processes.start('web', start('/opt/web 80'), noEnv)
    seen.push(running(), second.log('supervisor'))
  })
  const told = ['Processes that an earlier start had left were ended: 1']
  assert.equal(seen, [4, '/opt/family', true, '/opt/web', told])
})

test('where its guard died as well all goes on, and the next start ends all', async () => {
  const seen: unknown[] = []
  await inScene({}, async ({ world, supervising, running, programs }) => {
    const first = supervising()
    await first.processes.start('web', start('/opt/web 80'), noEnv)
    await first.processes.start('notes', start('/opt/family'), noEnv)
    programs.loseGuard(HOST, true)
    first.process.kill()
    await pause(world, 60_000)
    seen.push(running())
    programs.loseGuard(HOST, false)
    const second = supervising()
    await second.processes.start('web', start('/opt/web 80'), noEnv)
    seen.push(running(), second.log('supervisor'))
  })
  const told = ['Processes that an earlier start had left were ended: 4']
  assert.equal(seen, ['/opt/web /opt/family /opt/family /opt/family', '/opt/web', told])
})

test('a start that the system refuses for a while is told with its code, and works again after that', async () => {
  const seen: string[] = []
  await inScene({}, async ({ supervising, programs, running, until }) => {
    const { processes, states } = supervising()
    programs.failStarts(HOST, 'EAGAIN')
    seen.push(await messageOf(processes.start('notes', start('/opt/idle'), noEnv)))
    programs.failStarts(HOST, undefined)
    seen.push(await messageOf(processes.start('notes', start('/opt/idle'), noEnv)))
    programs.failStarts(HOST, 'ENOMEM')
    programs.kill(programs.running()[0]!.processId, 'SIGTERM')
    await until('it tried', () => states('notes').endsWith('restarting starting restarting'))
    seen.push(processes.list()[0]!.reason)
    programs.failStarts(HOST, undefined)
    await until('it serves', () => processes.list()[0]!.state === 'serving')
    seen.push(running())
  })
  const failed = 'The command cannot be run: /opt/idle'
  assert.equal(seen, [`StartFailed: ${failed} (EAGAIN)`, 'no error', `${failed} (ENOMEM)`, '/opt/idle'])
})

test('the table says which paths are links, closed, or no programs', async () => {
  const run = readyPrograms['/opt/idle']
  const more = {
    '/opt/link': { run, leadsTo: '/opt/idle' }, '/opt/text': { run, executable: false },
    '/opt/closed': { run, closed: '/opt' },
  }
  const seen: string[] = []
  await inScene({ user: 0, more }, async ({ supervising }) => {
    const { processes } = supervising()
    for (const path of ['/opt/link', '/opt/text', '/opt/closed', '/opt/none', '/bin/idle'])
      seen.push(await messageOf(processes.start('notes', start(path), noEnv)))
  })
  assert.equal(seen, [
    'ProcessNotAllowed: notes may not run here: its command is a link: /opt/link leads to /opt/idle',
    'StartFailed: notes cannot run: it is not executable: /opt/text',
    'StartFailed: notes cannot run: a user of its own cannot come to /opt/closed: /opt is closed',
    'StartFailed: notes cannot run: there is no such program: /opt/none',
    'ProcessNotAllowed: notes may not run here: processes.allow does not name /bin/idle',
  ])
})

test('as root each has a user and a folder of its own, for good, and what took its user ends with it', async () => {
  const seen: unknown[] = []
  let users: (number | undefined)[] = []
  await inScene({ user: 0 }, async ({ supervising, programs }) => {
    const { processes, log } = supervising()
    await processes.start('notes', start('/opt/family', { stopMs: 100 }), noEnv)
    await processes.start('diary', start('/opt/idle'), noEnv)
    users = programs.running().map(({ user }) => user?.uid)
    await processes.stop('notes')
    await processes.start('notes', start('/opt/idle'), noEnv)
    users.push(programs.running().at(-1)!.user?.uid)
    seen.push([...programs.given(HOST)].map(([path, { uid, gid }]) => [path, uid === gid, users.indexOf(uid)]))
    seen.push(log('notes').filter((line) => line.includes('own user')))
  })
  const [notes = 0, child, stray, diary = 0, again] = users
  assert.equal([child, stray, again], [notes, notes, notes])
  assert.ok(notes !== diary && [notes, diary].every((uid) => uid >= serviceUsers.from && uid <= serviceUsers.to))
  assert.equal(seen, [[[`${FOLDER}/notes`, true, 0], [`${FOLDER}/diary`, true, 3]], []])
})

test('a frozen one is restarted after the misses of the limit, one that thaws before that is not', async () => {
  const health = { ...healthAt(80), everyMs: 5_000 }
  let tookMs = 0
  const seen: string[] = []
  await inScene({}, async ({ world, supervising, programs, until }) => {
    const { processes, states } = supervising()
    await processes.start('web', start('/opt/web 80', { health, stopMs: 500 }), noEnv)
    const [{ processId } = { processId: 0 }] = programs.running()
    programs.freeze(processId)
    await pause(world, 15_000)
    programs.thaw(processId)
    await pause(world, 60_000)
    seen.push(states('web'))
    programs.freeze(processId)
    tookMs = await until('it serves again', () => processes.list()[0]!.incarnation === 2
      && processes.list()[0]!.state === 'serving')
    seen.push(states('web'), String(programs.running().some((each) => each.processId === processId)))
  })
  const leastMs = (limits.healthMisses - 1) * health.everyMs + limits.healthMisses * limits.healthAnswerMs + 500
  assert.ok(tookMs >= leastMs && tookMs < leastMs + health.everyMs + 500, `${tookMs} ms`)
  assert.equal(seen, ['starting serving', 'starting serving died restarting starting serving', 'false'])
})

test('what was due to a frozen one happens when it thaws: timers that it does not cancel, and a signal', async () => {
  const run: Behaviour = ({ clock, line, onSignal, exit }) => {
    clock.after(1_000, () => {
      line('stdout', 'first')
      cancel()
    })
    const cancel = clock.after(1_001, () => line('stdout', 'second'))
    clock.soon(() => line('stderr', 'soon'))
    onSignal((name) => {
      line('stdout', name)
      exit(0)
    })
  }
  const seen: unknown[] = []
  await inScene({ more: { '/opt/timers': { run } } }, async ({ world, supervising, programs, until }) => {
    const { processes, log, events } = supervising()
    await processes.start('notes', start('/opt/timers'), noEnv)
    const [{ processId } = { processId: 0 }] = programs.running()
    programs.freeze(processId)
    await pause(world, 5_000)
    programs.kill(processId, 'SIGTERM')
    await pause(world, 5_000)
    seen.push(log('notes').slice(1), programs.running().map(({ frozen }) => frozen))
    programs.thaw(processId)
    await until('it exits', () => events.some(({ state }) => state === 'died'))
    seen.push(log('notes').slice(2), events.find(({ state }) => state === 'died')!.reason)
    await processes.close()
    seen.push(await messageOf((async () => programs.thaw(processId))()))
  })
  const none = 'NotFound: There is no such process'
  assert.equal(seen.slice(0, 4), [['soon'], [true], ['first', 'SIGTERM'], 'exited with code 0'])
  assert.ok(String(seen[4]).startsWith(none), String(seen[4]))
})

test('a line that is too long comes in parts, and no character is divided', async () => {
  const text = 'ä€🦉'.repeat(3_000)
  const run: Behaviour = ({ line }) => line('stdout', `one\n${text}\n`)
  let lines: readonly string[] = []
  await inScene({ more: { '/opt/long': { run } } }, async ({ world, supervising }) => {
    const { processes, log } = supervising()
    await processes.start('notes', start('/opt/long'), noEnv)
    await pause(world, 100)
    lines = log('notes').slice(1)
  })
  assert.is(lines.length, 2 + Math.ceil(27_000 / limits.logLine))
  assert.equal([lines[0], lines.at(-1)], ['one', ''])
  assert.is(lines.slice(1, -1).join(''), text)
})

test('programs are of one simulation', async () => {
  const programs = new Programs({})
  const host = async (world: Parameters<Parameters<typeof simulateWith>[0]>[0]) => void world.startProcess(HOST)
  await simulateWith(host, { programs })
  assert.instance(await failureOf(host, { programs }), StartFailed)
})

test.run()
