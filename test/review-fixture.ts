import type { Serving } from '../runtime/actor.ts'
import type { Protocol } from '../runtime/protocol.ts'
import type { Change } from './actors/live-zone.ts'

type Handler = (args: never, cx: never) => unknown
interface Parts {
  readonly handlers: Readonly<Record<string, Handler>>
  readonly lifecycle?: { readonly authenticate?: (token: string, peer: never, use: never) => unknown }
}

const partsOf = (serving: unknown): Parts =>
  (typeof serving === 'object' && serving !== null && 'handlers' in serving ? serving : { handlers: serving }) as Parts

/** Sees every token that comes to an actor: bound to its calls, and in what verify-hub is asked and answers. */
export const watchingTokens = (saw: (token: string) => void): Change => (definition) => ({
  ...definition,
  async start(start) {
    const { handlers, lifecycle = {} } = partsOf(await definition.start(start))
    const { authenticate } = lifecycle
    const tell = (value: unknown): void => {
      if (typeof value !== 'object' || value === null) return
      for (const name of ['jwt', 'sessionToken', 'refreshToken', 'session_token', 'refresh_token']) {
        const token = (value as Readonly<Record<string, unknown>>)[name]
        if (typeof token === 'string') saw(token)
      }
    }
    const telling = (handler: Handler): Handler => (args, cx) => {
      tell(args)
      const answer = handler(args, cx)
      if (answer instanceof Promise) void answer.then(tell, () => {})
      return answer
    }
    const watched = Object.fromEntries(Object.entries(handlers).map(([name, handler]) => [name, telling(handler)]))
    const watching = authenticate && ((token: string, peer: never, use: never) => {
      saw(token)
      return authenticate(token, peer, use)
    })
    return {
      handlers: watched, lifecycle: { ...lifecycle, ...(watching ? { authenticate: watching } : {}) },
    } as unknown as Serving<Protocol, {}>
  },
})

/** Its start, or one of its methods, comes so much later. */
export const late = (how: { startMs?: number; method?: string; methodMs?: number }): Change => (definition) => ({
  ...definition,
  async start(start) {
    const wait = (ms: number): Promise<void> => new Promise((resolve) => void start.clock.after(ms, resolve))
    if (how.startMs !== undefined) await wait(how.startMs)
    const { handlers, lifecycle = {} } = partsOf(await definition.start(start))
    const { method, methodMs = 0 } = how
    const slow = method === undefined ? {} : {
      [method]: async (args: never, cx: never) => {
        await wait(methodMs)
        return handlers[method]!(args, cx)
      },
    }
    return { handlers: { ...handlers, ...slow }, lifecycle } as unknown as Serving<Protocol, {}>
  },
})
