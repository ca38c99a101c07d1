import * as assert from 'uvu/assert'
import type { CallContext, Principal } from '../../runtime/actor.ts'
import { defineError, type ZonewrightError } from '../../runtime/errors.ts'
import { createCaller } from '../../runtime/link/caller.ts'
import type { Message } from '../../runtime/link/link.ts'
import { serveLink } from '../../runtime/link/serve.ts'
import { call, number, object, protocol, send, stream, string } from '../../runtime/protocol.ts'
import { failureOf, keys, linkPair, quiet, serve, type PairOptions } from './link-fixture.ts'

export type Cx = CallContext
export interface By { readonly by: number }

export const Counter = protocol('counter', {
  add: call(object({ by: number() }), number()),
  read: call(object({}), number(), { concurrent: 4 }),
  grant: call(object({ to: string() }), string(), { suite: 'signature' }),
  secret: call(object({}), string(), { suite: 'sealed' }),
  note: send(object({ text: string() })),
  watch: stream(object({ from: number(), to: number() }), object({ n: number() })),
})

export const CounterFull = defineError('CounterFull')

export interface Gate { readonly promise: Promise<void>; open(): void }
export function gate(): Gate {
  let open!: () => void
  const promise = new Promise<void>((resolve) => void (open = resolve))
  return { promise, open }
}

export const idle: Record<string, unknown> = {
  add: ({ by }: { by: number }) => by + 1,
  read: () => 7,
  grant: ({ to }: { to: string }) => `granted to ${to}`,
  secret: () => 'hush',
  note: () => undefined,
  async *watch({ from, to }: { from: number; to: number }) {
    for (let n = from; n < to; n++) yield { n }
  },
}

export const forever = (): Promise<never> => new Promise(() => undefined)

export const aborted = (signal: AbortSignal): Promise<unknown> =>
  new Promise((resolve) => signal.addEventListener('abort', resolve))

/** How reading the first item fails. */
export const firstFailure = (items: AsyncIterable<unknown>): Promise<ZonewrightError> =>
  failureOf(items[Symbol.asyncIterator]().next())

type Options = Parameters<typeof serve>[2]

/** A counter with these handlers in place of its own, and a caller of it. */
export const counter = (change: Record<string, unknown> = {}, options: PairOptions & Options = {}) =>
  serve(Counter, { ...idle, ...change }, options)

/** Speaks the wire by hand to an actor that `serve` set up. */
export async function rawCaller(target: Awaited<ReturnType<typeof counter>>): Promise<{
  send(message: Message, signed?: boolean): void
  next(): Promise<Message>
  readonly closed: ZonewrightError | undefined
  readonly rejected: string[]
}> {
  const fresh = await linkPair({ clock: target.clock })
  serveLink(fresh.responder, target.service)
  const messages: Message[] = []
  let closed: ZonewrightError | undefined
  const caller = createCaller(Counter, { clock: target.clock, keys })
  let hello: Message | undefined
  caller.attach({
    ...fresh.initiator, send: (message) => void (hello ??= message), receive: () => undefined, close: () => undefined,
  })
  fresh.initiator.receive((message) => void messages.push(message), (error) => void (closed = error))
  // Without an epoch: deadlines are epoch milliseconds
  fresh.initiator.send(hello!.slice(0, 3))
  await quiet()
  assert.equal(messages.shift(), hello!.slice(0, 3))
  return {
    send: (message, signed) => void fresh.initiator.send(message, signed),
    async next() {
      await quiet()
      const message = messages.shift()
      if (!message) throw new Error(`No message; closed: ${closed?.message ?? 'no'}`)
      return message
    },
    get closed() { return closed },
    rejected: fresh.rejected,
  }
}

/** What a token says in these tests. */
export const alice: Principal = { sub: 'alice', appid: 'app', runtimeType: 'user', sid: 's1', sudo: false }
