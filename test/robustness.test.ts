/**
 * Workers, callers and links that misbehave, with real threads: what takes too much is refused or ended, and everybody
 * else goes on. What else there is to a dying worker: test/runtime/supervisor.test.ts.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { limits } from '../runtime/limits.ts'
import { openPlatform } from '../runtime/platform/index.ts'
import { systemClock as clock } from '../runtime/platform/clock.ts'
import type { Channel, Platform } from '../runtime/platform/ports.ts'
import { systemRandom as random } from '../runtime/platform/random.ts'
import { openEmbeddedStore } from '../runtime/store/embedded.ts'
import { supervise, type Supervised } from '../runtime/supervise.ts'
import { Supervisor } from '../runtime/supervisor.ts'
import { createTrace } from '../runtime/trace.ts'
import { type ChildEnd, runChild } from './boot-fixtures/child.ts'
import { Unruly } from './examples/unruly-protocol.ts'
import { Greedy } from './robustness/greedy-protocol.ts'
import { child, greedy, unruly } from './robustness/misfortunes.ts'

const onDeno = 'Deno' in globalThis
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(() => 'done', (error: unknown) => (error as { code?: string }).code ?? String(error))

async function within(ms: number, what: string, condition: () => Promise<boolean> | boolean): Promise<void> {
  for (const end = performance.now() + ms; !await condition(); await sleep(20)) {
    if (performance.now() > end) throw new Error(`It did not happen within ${ms} ms: ${what}`)
  }
}

async function withActors(
  run: (zone: Supervised) => Promise<void>, specs = [greedy, unruly()],
): Promise<void> {
  const zone = await supervise(specs)
  try {
    await run(zone)
  } finally {
    await zone.stop()
  }
}

const folder = mkdtempSync(join(tmpdir(), 'zonewright-robustness-'))
/** These take their time: they begin with the first test and are looked at by the last. */
let frozen: Promise<ChildEnd>
let silent: Promise<Silent>
test.before(() => {
  frozen = runChild(['frozen'], { msMax: 40_000 })
  silent = silentHandshakes()
  silent.catch(() => {})
})
test.after(() => rmSync(folder, { recursive: true, force: true }))

test('a worker whose heap grows beyond its limit is ended, and its actor comes back', () => withActors(async (zone) => {
  const reasons: string[] = []
  zone.trace.on('actor', ({ actor, state, reason }) => {
    if (state === 'died') reasons.push(`${actor}: ${reason}`)
  })
  const before = await zone.get(Greedy).incarnation({})
  zone.get(Greedy).leak({ gently: true })
  await within(40_000, 'the worker ends', () => reasons.length > 0)
  // A worker that only collects garbage may be silent for too long before it has none left to collect
  assert.match(reasons.join(), /^greedy: .*(out of memory|no heartbeat)/i)
  assert.ok(await zone.get(Greedy).incarnation({}, { withinMs: 30_000 }) > before)
  assert.is(await zone.get(Unruly).echo({ text: 'untouched' }), 'untouched')
}))

if (onDeno) {
  test('memory that is taken all at once ends a Deno process, and no write that was acknowledged is lost', async () => {
    const stores = join(folder, 'burst')
    const { code, signal, late, lines, noise } = await runChild(['burst', stores], {
      msMax: 25_000,
      before: ['run', '-A', '--unstable-worker-options', '--v8-flags=--max-old-space-size=300', process.argv[1]!],
    })
    assert.not(late, noise)
    assert.is(lines.length, 20, noise)
    assert.ok(code !== 0 || signal !== null, 'a Deno that lives on would be better: say so in ROBUSTNESS.md')
    const store = await openEmbeddedStore(join(stores, 'greedy'), { clock, random })
    assert.is((await store.list('')).entries.length, 20)
    await store.close()
  })
}

test('a reader that does not read holds up its own stream only, and misses nothing when it goes on', () =>
  withActors(async (zone) => {
    const client = zone.get(Greedy)
    const count = 5_000
    const slow = client.items({ count, length: 2_000 })[Symbol.asyncIterator]()
    assert.is((await slow.next()).value.number, 0)
    let read = 0
    for await (const { number } of client.items({ count, length: 2_000 })) assert.is(number, read++)
    assert.is(read, count)
    const [first = 0] = await client.made({})
    assert.ok(first <= 2 * limits.streamCredit, `${first} items were made for a reader that took one`)
    let next = 1
    for (let item = await slow.next(); !item.done; item = await slow.next()) assert.is(item.value.number, next++)
    assert.is(next, count)
  }))

test('a flood of calls is refused beyond the limits, every call has its answer, and then all is as before', () =>
  withActors(async (zone) => {
    const client = zone.get(Greedy)
    const count = 4 * limits.inFlight
    const outcomes = await Promise.all(Array.from({ length: count }, (_, value) =>
      client.echo({ value }, { withinMs: 60_000 }).then((echoed) => (echoed === value ? 'right' : 'wrong'),
        (error: unknown) => (error as { code: string }).code)))
    assert.is(outcomes.length, count)
    assert.equal([...new Set(outcomes)].sort(), ['Overloaded', 'right'])
    assert.is(await client.echo({ value: 'after' }), 'after')
    // Exclusive calls wait in the mailbox
    const waiting = Array.from({ length: limits.mailbox + 51 }, () => codeOf(client.occupy({ ms: 0 })))
    waiting.unshift(codeOf(client.occupy({ ms: 300 })))
    const counted = (await Promise.all(waiting)).filter((code) => code === 'Overloaded').length
    assert.ok(counted >= 1 && counted <= 52, `${counted} were refused`)
    assert.is(await client.occupy({ ms: 1 }), 1)
    const inspected = (await zone.inspect()).find(({ actor }) => actor === 'greedy')
    assert.equal([inspected?.waiting, inspected?.running], [0, 0])
  }))

test('what is too large or no JSON fails its own call, and the link goes on', () => withActors(async (zone) => {
  const client = zone.get(Greedy)
  const deep = (levels: number): unknown => {
    let value: unknown = 1
    for (let level = 0; level < levels; level++) value = [value]
    return value
  }
  const circle: unknown[] = []
  circle.push(circle)
  const bad: readonly (readonly [what: string, value: unknown, code: RegExp])[] = [
    ['a large text', 'x'.repeat(limits.message), /^LimitExceeded$/],
    // Newer engines write and read it
    ['a deep list', deep(200_000), /^(done|InvalidArgument|LimitExceeded)$/],
    ['a circle', circle, /^InvalidArgument$/],
    ['a bigint', 1n, /^InvalidArgument$/],
    ['what throws as it is read', { get value() { throw new Error('Planted') } }, /^InvalidArgument$/],
  ]
  const other = client.echo({ value: 'meanwhile' })
  for (const [what, value, code] of bad) {
    const outcome = await codeOf(client.echo({ value }))
    assert.ok(code.test(outcome), `${what}: ${outcome}`)
  }
  assert.is(await other, 'meanwhile')
  assert.is(await client.echo({ value: 'after' }), 'after')
  assert.equal(await codeOf(client.echo({ value: deep(1_000) })), 'done')
  const inspected = (await zone.inspect()).find(({ actor }) => actor === 'greedy')
  assert.equal([inspected?.framesRejected, inspected?.links], [0, 1])
}))

/** Bare ends of channels to the actor, as an intruder would have. */
async function withIntruder(
  run: (supervisor: Supervisor, intrude: () => { channel: Channel; accepted: Promise<void> }) => Promise<void>,
): Promise<void> {
  const platform: Platform = await openPlatform()
  const device = platform.keys.generate(platform.random)
  const supervisor = new Supervisor({
    platform, zone: 'z1', host: 'h1', device, devices: [{ host: 'h1', role: 'ood', jwk: device.public.jwk }],
    trace: createTrace(), kernelActors: [], kernelRuntimeTypes: [],
  }, [greedy])
  await supervisor.load()
  await supervisor.startAll()
  let number = 0
  try {
    await run(supervisor, () => {
      const peer = { host: 'h1', actor: `intruder-${++number}`, incarnation: 1 }
      const { end, accepted } = supervisor.expose('greedy', peer)
      return { channel: platform.openChannel(end), accepted }
    })
  } finally {
    await supervisor.stopAll()
  }
}

test('a flood of handshakes and a giant frame are refused, each by itself, while calls go on', () =>
  withIntruder(async (supervisor, intrude) => {
    const client = supervisor.get(Greedy)
    await client.echo({ value: 'linked' })
    const refused = Array.from({ length: 300 }, (_, index) => {
      const { channel, accepted } = intrude()
      channel.receive(() => {}, () => {})
      if (index % 3 === 0) channel.send('{"not":"a handshake"}')
      else if (index % 3 === 1) channel.send('x'.repeat(limits.handshake + 1))
      else channel.close('It went away')
      return codeOf(accepted)
    })
    const giant = intrude()
    giant.channel.receive(() => {}, () => {})
    giant.channel.send('x'.repeat(limits.frame + 1))
    for (let value = 0; value < 200; value++) assert.is(await client.echo({ value }), value)
    const outcomes = await Promise.all([...refused, codeOf(giant.accepted)])
    assert.not(outcomes.includes('done'))
    const inspected = (await supervisor.inspect()).find(({ actor }) => actor === 'greedy')
    assert.equal([inspected?.links, inspected?.handshakesRefused], [1, 301])
  }))

interface Silent { readonly outcomes: readonly string[]; readonly ms: number; readonly answered: number }

async function silentHandshakes(): Promise<Silent> {
  let told: Silent | undefined
  await withIntruder(async (supervisor, intrude) => {
    const began = performance.now()
    const silences = Array.from({ length: 50 }, () => {
      const { channel, accepted } = intrude()
      channel.receive(() => {}, () => {})
      return codeOf(accepted)
    })
    let answered = 0
    for (let value = 0; value < 100; value++) if (await supervisor.get(Greedy).echo({ value }) === value) answered++
    const outcomes = await Promise.all(silences)
    told = { outcomes, ms: performance.now() - began, answered }
  })
  return told!
}

test('handshakes that are begun and never finished end in their time, and hold up nobody', async () => {
  const { outcomes, ms, answered } = await silent
  assert.equal([[...new Set(outcomes)], answered], [['HandshakeFailed'], 100])
  assert.ok(ms >= limits.handshakeMs - 100 && ms < limits.handshakeMs + 15_000, `${ms} ms`)
})

test('a zone that has no file left goes on with those it has, and wholly once there are more', async () => {
  const own = onDeno ? ['run', '-A', '--unstable-worker-options', process.argv[1]!] : [process.argv[1]!]
  const { code, lines, noise } = await runChild(['files', join(folder, 'files')], {
    msMax: 25_000, program: 'sh', before: ['-c', 'ulimit -n 256; exec "$0" "$@"', process.execPath, ...own],
  })
  const all = { writes: ['done', 'done', 'done'], reads: 'done', health: 'ok\n', deaths: [] }
  assert.equal([code, lines.at(-1)], [0, all], noise)
})

test('a process that stood still for longer than a worker may takes none of its workers for dead', async () => {
  const { code, lines, noise } = await frozen
  assert.is(code, 0, noise)
  const { stoodStillMs, deaths, before, after } = lines.at(-1) as Record<string, unknown>
  assert.ok(Number(stoodStillMs) > limits.heartbeatSilenceMs + 1_000, `It stood still for ${stoodStillMs} ms`)
  assert.equal([deaths, after], [[], before], noise)
})

const [mode, ...args] = process.argv.slice(2)
if (mode === undefined) test.run()
else await child(mode, args)
