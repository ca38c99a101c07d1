import type { Clock } from './platform/ports.ts'

/** The promise's outcome, or the error made by `late` once `ms` have passed. The work itself goes on. */
export function within<T>(clock: Clock, ms: number, work: Promise<T>, late: () => Error): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const cancel = clock.after(ms, () => reject(late()))
    work.then(resolve, reject).finally(cancel)
  })
}

/** Settles after `ms`, or at once when `signal` aborts. */
export function pause(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise<void>((resolve) => {
    if (signal?.aborted) return resolve()
    const cancel = clock.after(ms, () => {
      signal?.removeEventListener('abort', wake)
      resolve()
    })
    const wake = (): void => {
      cancel()
      resolve()
    }
    signal?.addEventListener('abort', wake, { once: true })
  })
}

export interface Deferred<T> {
  readonly promise: Promise<T>
  resolve(value: T): void
  reject(error: Error): void
}

/** A promise settled from outside; nobody has to listen to its rejection. */
export function deferred<T>(): Deferred<T> {
  let resolve!: (value: T) => void
  let reject!: (error: Error) => void
  const promise = new Promise<T>((fulfil, refuse) => {
    resolve = fulfil
    reject = refuse
  })
  promise.catch(() => {})
  return { promise, resolve, reject }
}
