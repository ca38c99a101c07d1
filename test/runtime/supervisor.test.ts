/** What only real workers show: the ways in which a thread ends, and what is told of it. */
import { spawn } from 'node:child_process'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createTrace, limits, supervise, type Supervised, type SuperviseOptions, worker } from '../../runtime/index.ts'
import { openPlatform } from '../../runtime/platform/index.ts'
import type { ActorSpec } from '../../runtime/spec.ts'
import { Supervisor } from '../../runtime/supervisor.ts'
import type { SpanEvent } from '../../runtime/trace.ts'
import { mailbox } from '../examples/unruly.ts'
import { Relay, Unruly, UnrulyToo } from '../examples/unruly-protocol.ts'
import { failed } from './supervisor-fixture.ts'

const onDeno = 'Deno' in globalThis
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
const unruly = (options: Partial<ActorSpec> = {}): ActorSpec =>
  worker(Unruly, new URL('../examples/unruly.ts', import.meta.url), options)
const unrulyToo = (options: Partial<ActorSpec> = {}): ActorSpec =>
  worker(UnrulyToo, new URL('../examples/unruly-too.ts', import.meta.url), options)
const relay = worker(Relay, new URL('../examples/relay.ts', import.meta.url))

async function withZone(
  specs: readonly ActorSpec[],
  run: (zone: Supervised) => Promise<void>,
  options: SuperviseOptions = {},
): Promise<void> {
  const zone = await supervise(specs, options)
  try {
    await run(zone)
  } finally {
    await zone.stop()
  }
}

async function until(what: string, condition: () => boolean): Promise<void> {
  for (let waitedMs = 0; !condition(); waitedMs += 5) {
    if (waitedMs > 10_000) throw new Error(`It did not happen: ${what}`)
    await sleep(5)
  }
}

/** The reasons of all deaths from now on. */
function deaths(zone: Supervised): string[] {
  const reasons: string[] = []
  zone.trace.on('actor', ({ actor, state, reason }) => {
    if (state === 'died') reasons.push(`${actor}: ${reason}`)
  })
  return reasons
}

/** Takes its time, so it begins with the first test and is looked at by the last. */
let looping: Promise<Ended>
test.before(() => {
  looping = runProcess('loop', 20_000)
})

test('a stray error, an unhandled rejection and failed background work are deaths with a reason', async () => {
  await withZone([unruly()], async (zone) => {
    const reasons = deaths(zone)
    for (const how of ['throw', 'reject', 'background'] as const) {
      const before = await zone.get(Unruly).incarnation({})
      zone.get(Unruly).fail({ how })
      await until('a death', () => reasons.length > 0)
      assert.ok(await zone.get(Unruly).incarnation({}) > before, how)
      assert.match(reasons.pop() ?? '', /^unruly: .*Planted$/, how)
    }
  })
})

test('actors that share a worker die together and come back together', async () => {
  await withZone([unruly({ thread: 'one' }), unrulyToo({ thread: 'one' }), relay], async (zone) => {
    const reasons = deaths(zone)
    await zone.get(UnrulyToo).echo({ text: 'linked' })
    zone.get(UnrulyToo).fail({ how: 'throw' })
    await until('two deaths', () => reasons.length === 2)
    assert.is(await zone.get(UnrulyToo).echo({ text: 'a' }), 'a')
    assert.is(await zone.get(Relay).echo({ text: 'b' }), 'b')
    assert.equal(zone.list().map(({ state }) => state), ['serving', 'serving', 'serving'])
  })
})

test('a module that never loads, and one that exits, fail the start in time and leave nothing running', async () => {
  const platform = await openPlatform()
  for (
    const module of [
      new URL('../examples/never-loads.ts', import.meta.url),
      new URL('../examples/exits-at-import.ts', import.meta.url),
    ]
  ) {
    const device = platform.keys.generate(platform.random)
    let held = 0
    const hold = () => {
      held++
      return () => void held--
    }
    const supervisor = new Supervisor({
      platform: { ...platform, host: { ...platform.host, hold } },
      zone: 'z1',
      host: 'h1',
      device,
      devices: [{ host: 'h1', role: 'ood', jwk: device.public.jwk }],
      trace: createTrace(),
      kernelActors: [],
      startMs: 3_000,
    }, [unruly(), worker(UnrulyToo, module)])
    const text = await failed(supervisor.load())
    await supervisor.stopAll()
    // Deno goes on for a moment after an exit
    assert.match(
      text,
      /^StartFailed: (unruly-too did not load within 3000|The worker of unruly-too died during load|.* no actor)/,
    )
    assert.is(held, 0)
    assert.equal((await supervisor.inspect()).map(({ actor }) => actor), ['supervisor'])
  }
})

test('the secrets of an actor are in no trace, no listing and no inspection', async () => {
  const secret = 'correct-horse-battery-staple'
  const trace = createTrace()
  const told: string[] = []
  trace.on('*', (type, event) => void told.push(JSON.stringify([type, event])))
  await withZone([unruly({ secrets: { key: secret } }), relay], async (zone) => {
    assert.is(await zone.get(Unruly).secretLength({ name: 'key' }), secret.length)
    await zone.get(Relay).echo({ text: 'hello' })
    const before = told.length
    zone.get(Unruly).fail({ how: 'throw' })
    await until('a death', () => told.slice(before).some((line) => line.includes('died')))
    assert.is(await zone.get(Unruly).secretLength({ name: 'key' }), secret.length, 'the next incarnation has it too')
    told.push(JSON.stringify([zone.list(), await zone.inspect()]))
  }, { trace, spans: true })
  assert.ok(told.some((line) => line.includes('secretLength')))
  assert.not(told.some((line) => line.includes(secret)))
})

test('a call through two actors is one trace: the second names the first as its parent', async () => {
  const spans: SpanEvent[] = []
  await withZone([unruly(), relay], async (zone) => {
    zone.trace.on('span', (event) => void spans.push(event))
    await zone.get(Relay).echo({ text: 'a' })
    await zone.get(Relay).echo({ text: 'b' })
    await until('four spans', () => spans.length === 4)
  }, { spans: true })
  const [outer, inner] = ['relay', 'unruly'].map((name) => spans.filter(({ actor }) => actor === name))
  assert.is(inner?.length, 2)
  for (const span of inner ?? []) {
    const parent = outer?.find(({ spanId }) => spanId === span.parentSpanId)
    assert.is(span.traceId, parent?.traceId)
    assert.equal([span.peer, span.method, span.code], ['relay', 'echo', ''])
  }
  assert.is.not(inner?.[0]?.traceId, inner?.[1]?.traceId)
})

test('one-way messages that a full mailbox refuses are counted as dead letters', async () => {
  await withZone([unruly()], async (zone) => {
    const client = zone.get(Unruly)
    // A message that finds no link is a dead letter of its sender: this waits for the link
    await client.echo({ text: 'linked' })
    const busy = client.occupy({ ms: 300 })
    for (let sent = 0; sent < mailbox + 6; sent++) client.note({})
    await busy
    const one = (await zone.inspect()).find(({ actor }) => actor === 'unruly')
    assert.equal([one?.deadLetters, one?.waiting, one?.running, one?.links, one?.state], [6, 0, 0, 1, 'serving'])
  })
})

test('workers outlive a pause of the supervisor itself', async () => {
  const platform = await openPlatform()
  let jumpMs = 0
  const clock = { ...platform.clock, monotonic: () => platform.clock.monotonic() + jumpMs }
  await withZone([unruly()], async (zone) => {
    const reasons = deaths(zone)
    const before = await zone.get(Unruly).incarnation({})
    jumpMs = 10 * limits.heartbeatSilenceMs
    await sleep(2.5 * limits.heartbeatMs)
    assert.equal(reasons, [])
    assert.is(await zone.get(Unruly).incarnation({}), before)
  }, { platform: { ...platform, clock } })
})

test('a listener of the trace that throws fails where it is, not the actor that told', async () => {
  const caught: unknown[] = []
  const keep = (error: unknown): void => void caught.push(error)
  process.on('unhandledRejection', keep)
  try {
    await withZone([unruly()], async (zone) => {
      const reasons = deaths(zone)
      zone.trace.on('span', () => {
        throw new Error('Planted in a listener')
      })
      const before = await zone.get(Unruly).incarnation({})
      await until('an error', () => caught.length > 0)
      await sleep(100)
      assert.is(await zone.get(Unruly).incarnation({}), before)
      assert.equal(reasons, [])
      assert.match(String(caught[0]), /Planted in a listener/)
    }, { spans: true })
  } finally {
    process.off('unhandledRejection', keep)
  }
})

interface Ended {
  readonly code: number | null
  readonly output: string
  readonly alone: boolean
}

/** Runs the process, for at most so long after it serves. */
function runProcess(mode: string, ms = 2_000): Promise<Ended> {
  const path = fileURLToPath(new URL('../examples/zone-process.ts', import.meta.url))
  const child = spawn(process.execPath, [...(onDeno ? ['run', '-A'] : []), path, mode], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  let output = ''
  let alone = true
  child.stdout.on('data', (chunk: Uint8Array) => {
    if (output === '') {
      setTimeout(() => {
        alone = !child.kill('SIGKILL')
      }, ms).unref()
    }
    output += new TextDecoder().decode(chunk)
  })
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, output, alone })))
}

test('a process ends by itself once its zone has stopped, or its program failed, and no sooner', async () => {
  const [stopped, serving, broken] = await Promise.all(['stop', 'serve', 'throw'].map((mode) => runProcess(mode)))
  assert.equal(stopped, { code: 0, output: 'serving\n', alone: true })
  assert.equal(serving, { code: null, output: 'serving\n', alone: false })
  assert.equal(broken, { code: 1, output: 'serving\n', alone: true })
})

test('an endless loop and an exit without a word end with a new incarnation of each', async () => {
  const { code, output } = await looping
  assert.is(code, 0)
  const silence = 'no heartbeat for 1\\d{4} ms'
  assert.match(
    output,
    new RegExp(`^serving\nunruly-too: ${onDeno ? silence : 'exit 3'}\nunruly: ${silence}\nserving again\n$`),
  )
})

test.run()
