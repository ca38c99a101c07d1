/** A tunnel whose other end is the test: it says what it likes, and sees every message that comes. */
import * as assert from 'uvu/assert'
import type { StreamChannel, TunnelEnd, TunnelOptions } from '../transport/tunnel/protocol.ts'
import { openTunnel } from '../transport/tunnel/tunnel.ts'
import type { Frame } from '../transport/channel.ts'
import { CREDIT, DATA } from '../transport/tunnel/messages.ts'
import { toBase64url } from '../runtime/trust/base64url.ts'
import { quiet, testClock, type TestClock } from './runtime/link-fixture.ts'
import { link, optionsOf, type Accepting, type Change } from './tunnel-ends.ts'

export type Said = Record<string, unknown> & { readonly t: string }

export interface Script {
  readonly clock: TestClock
  readonly accepting: Accepting
  readonly opening: Promise<TunnelEnd>
  /** Of the tunnel under test: what it said, and its pieces. */
  readonly said: Said[]
  readonly pieces: Uint8Array[]
  readonly closes: string[]
  /** What the other end does. */
  say(message: unknown): void
  bring(frame: Frame): void
  end(reason: string): void
  /** It takes nothing for now. */
  full(full: boolean): void
}

export const NONCE = toBase64url(new Uint8Array(32).fill(9))
export const greeting = { zone: 'zone.test', host: 'hostile', nonce: NONCE, window: 65_536 }

export function script(role: TunnelOptions['role'], change: Change = {}): Script {
  const clock = testClock()
  const { accepting, ...options } = optionsOf('here', clock)
  const said: Said[] = []
  const pieces: Uint8Array[] = []
  const closes: string[] = []
  let onFrame: ((frame: Frame) => void) | undefined
  let onClose: ((reason: string) => void) | undefined
  let onDrained: (() => void) | undefined
  let isFull = false
  const opening = openTunnel({
    ...options, ...change, role,
    channel: {
      kind: 'memory', unsent: 0,
      get full() { return isFull },
      onDrained(listener) { onDrained = listener },
      send: (frame) => void (typeof frame === 'string' ? said.push(JSON.parse(frame) as Said) : pieces.push(frame)),
      receive(take, close) { [onFrame, onClose] = [take, close] },
      close: (reason) => void closes.push(reason),
    },
  })
  opening.catch(() => {})
  return {
    clock, accepting, opening, said, pieces, closes,
    say: (message) => onFrame!(typeof message === 'string' ? message : JSON.stringify(message)),
    bring: (frame) => onFrame!(frame),
    end: (reason) => onClose!(reason),
    full(full) {
      isFull = full
      if (!full) onDrained!()
    },
  }
}

export interface OpenScript extends Script {
  readonly tunnel: TunnelEnd
}

/** Both have said who they are. The tunnel under test is the listener, unless it says otherwise. */
export async function opened(change: Change = {}, role: TunnelOptions['role'] = 'listener'): Promise<OpenScript> {
  const one = script(role, change)
  await quiet()
  one.say({ t: role === 'listener' ? 'hello' : 'welcome', v: 1, greeting })
  await quiet()
  if (role === 'listener') one.say({ t: 'ready' })
  const tunnel = await soon(one.opening)
  one.said.length = 0
  return { ...one, tunnel }
}

export const wanted = (id: number, protocol = `p${id}`) => ({ t: 'open', id, request: link(protocol) })

/** A stream that the other end opened. */
export async function accepted(one: OpenScript, id: number): Promise<void> {
  one.say(wanted(id))
  await quiet()
  assert.ok(one.said.some((message) => message.t === 'opened' && message['id'] === id))
}

/** A stream that the tunnel under test opened. */
export async function asked(one: OpenScript, id: number, by?: readonly string[]): Promise<StreamChannel> {
  const opening = one.tunnel.open({ ...link('asked'), ...(by ? { by: [...by] } : {}) })
  one.say({ t: 'opened', id, granted: { host: 'hostile', incarnation: 1 } })
  return (await soon(opening)).channel
}

export function piece(id: number, body: Uint8Array | number[], flags = 0): Uint8Array {
  const bytes = new Uint8Array(8 + body.length)
  bytes.set([DATA, flags])
  new DataView(bytes.buffer).setUint32(4, id)
  bytes.set(body, 8)
  return bytes
}

export function credit(id: number, amount: number): Uint8Array {
  const bytes = new Uint8Array(12)
  bytes[0] = CREDIT
  new DataView(bytes.buffer).setUint32(4, id)
  new DataView(bytes.buffer).setUint32(8, amount)
  return bytes
}

/** Nothing here takes time but the clock's own: what does not settle now never does. */
export async function soon<T>(work: Promise<T>): Promise<T> {
  let late: ReturnType<typeof setTimeout> | undefined
  const never = new Promise<never>((_, reject) => { late = setTimeout(() => reject(new Error('It goes on')), 2_000) })
  return Promise.race([work, never]).finally(() => clearTimeout(late))
}

/** As `soon`, of what has to fail. */
export const failure = (work: Promise<unknown>): Promise<unknown> =>
  soon(work).then(() => undefined, (error: unknown) => error)

/** It has noticed, said so, closed, and keeps nothing: no stream, no byte, no timer. */
export async function violated(one: OpenScript, reason: RegExp): Promise<void> {
  assert.match(await soon(one.tunnel.closed), reason)
  await gone(one)
  const last = one.said.at(-1) as { t: string; error?: { code: string } } | undefined
  assert.equal([last?.t, last?.error?.code], ['end', 'TunnelViolation'])
}

export async function gone(one: OpenScript): Promise<void> {
  await quiet()
  assert.equal([one.closes.length, one.tunnel.streams, one.tunnel.held], [1, 0, 0])
  await one.clock.advance(60_000)
  assert.is(one.clock.timers, 0)
  const messages = one.said.length + one.pieces.length
  one.say('{')
  one.say({ t: 'ping', n: 1 })
  assert.is(one.said.length + one.pieces.length, messages, 'it answers after its end')
}
