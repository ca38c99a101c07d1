import * as assert from 'uvu/assert'
import { ZonewrightError } from '../../../runtime/errors.ts'
import type { Event, Operation, Store } from '../../../runtime/store/store.ts'
import type { StoreUnderTest } from '../store.ts'

type Wait = (ms: number) => Promise<void>
/** The time that a store lives in. */
export interface Timing {
  readonly run: (check: () => Promise<void>) => Promise<void>
  readonly wait: Wait
}
type Body = (store: Store, under: StoreUnderTest & Pick<Timing, 'wait'>) => Promise<void>
export type Check = (title: string, body: Body) => void

const realWait: Wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

export const inRealTime: Timing = {
  wait: realWait,
  async run(check) {
    // A store's timers do not keep a process alive, so a test that waits for one must
    const alive = setInterval(() => {}, 1_000)
    try {
      await check()
    } finally {
      clearInterval(alive)
    }
  },
}

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
export const text = (value: Uint8Array | undefined): string | undefined => value && new TextDecoder().decode(value)

/** uvu takes `details` of any error for text, and ends without a word where it is not. */
export async function plainErrors(body: () => Promise<void>): Promise<void> {
  try {
    await body()
  } catch (error) {
    throw error instanceof ZonewrightError ? new Error(`${error.code}: ${error.message}`, { cause: error }) : error
  }
}

/** What it rejects with, or `done`. */
export const codeOf = (promise: Promise<unknown>): Promise<string> => promise.then(() => 'done', (error: unknown) =>
  error instanceof ZonewrightError ? error.code : `not one of ours: ${String(error)}`)

/** The promise must reject with this code. */
export async function rejects(promise: Promise<unknown>, code: string): Promise<void> {
  assert.is(await codeOf(promise), code)
}

export async function take(events: AsyncIterator<Event>, count: number): Promise<Event[]> {
  const taken: Event[] = []
  while (taken.length < count) {
    const { value, done } = await events.next()
    assert.not(done, `the watch ended after ${taken.length} of ${count} events`)
    taken.push(value as Event)
  }
  return taken
}

/** Runs `body` with an open watch, and ends it. */
export async function watching(
  store: Store, prefix: string, after: number,
  body: (events: AsyncIterator<Event>, stop: AbortController) => Promise<void>,
): Promise<void> {
  const stop = new AbortController()
  const events = store.watch(prefix, { after, signal: stop.signal })[Symbol.asyncIterator]()
  try {
    await body(events, stop)
  } finally {
    stop.abort()
    await events.return?.()
  }
}

export async function until(reached: () => Promise<boolean>, withinMs: number, wait = realWait): Promise<void> {
  for (let waited = 0; waited < withinMs; waited += 25) {
    if (await reached()) return
    await wait(25)
  }
  assert.unreachable(`not reached within ${withinMs} ms`)
}

export const put = (key: string, value = ''): Operation => ({ type: 'put', key, value: bytes(value) })
export const keysOf = (list: readonly { key: string }[]): string[] => list.map(({ key }) => key)
