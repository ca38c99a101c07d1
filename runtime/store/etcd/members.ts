import { messageOf } from '../../errors.ts'
import { limits } from '../../limits.ts'
import type { Clock } from '../../platform/ports.ts'
import type { Policy } from './connection.ts'

type Run = (context: { signal: AbortSignal }) => unknown

/** Why a call says nothing of the cluster, but of the one member that it went to. */
const SILENT = /DEADLINE_EXCEEDED|Deadline exceeded|UNAVAILABLE|No connection established/

/**
 * Which members of a cluster to leave alone. The package takes any of them for each call, so that one that stands still
 * would cost each third call all its time: after the first, calls go to the others, and one at a time finds out whether
 * it is back. Where no member answers, all are tried.
 */
export class Members {
  readonly #clock: Clock
  readonly #hosts: readonly string[]
  /** Monotonic milliseconds until when one is left alone. */
  readonly #alone = new Map<string, number>()
  readonly #tried = new Set<string>()

  constructor(hosts: readonly string[], clock: Clock) {
    this.#hosts = hosts
    this.#clock = clock
  }

  policy(host: string): Policy {
    return { execute: (run: Run) => this.#call(host, run) } as unknown as Policy
  }

  async #call(host: string, run: Run): Promise<unknown> {
    const isTry = this.#alone.has(host)
    if (isTry && !this.#mayTry(host)) throw new Error(`This member of etcd is left alone for a while: ${host}`)
    if (isTry) this.#tried.add(host)
    try {
      const answer = await run({ signal: new AbortController().signal })
      this.#alone.delete(host)
      return answer
    } catch (error) {
      if (SILENT.test(messageOf(error))) this.#alone.set(host, this.#clock.monotonic() + limits.etcdAloneMs)
      else this.#alone.delete(host)
      throw error
    } finally {
      if (isTry) this.#tried.delete(host)
    }
  }

  #mayTry(host: string): boolean {
    if (this.#hosts.every((each) => this.#alone.has(each))) return true
    return !this.#tried.has(host) && this.#clock.monotonic() >= this.#alone.get(host)!
  }
}
