import { limits } from '../../runtime/limits.ts'
import type { Random } from '../../runtime/platform/ports.ts'

/** What has to follow from a death. Microseconds of true time. */
export type Expected =
  | { readonly type: 'failed'; readonly atUs: number }
  /** `exactUs`: where the draws of the seed are known. */
  | { readonly type: 'starts'; readonly leastUs: number; readonly mostUs: number; readonly exactUs: number | undefined }

const MS = 1_000
/** As short as a timer gets. */
const TIMER_US_MIN = 1_000
const WORD = 2 ** 32

/**
 * The rule of restarts as RUNTIME.md says it, written anew and from there: so many deaths in a window, each wait twice
 * as long as the one before, half of it random; one more, and it stays down from that moment on.
 */
export class RestartModel {
  readonly #deathsUs: number[] = []
  readonly #draws: Random | undefined

  /** `draws`: what production draws from, where that can be had. */
  constructor(draws: Random | undefined) {
    this.#draws = draws
  }

  death(atUs: number): Expected {
    const since = atUs - limits.restartWindowMs * MS
    const before = this.#deathsUs.filter((death) => death > since).length
    if (before >= limits.restarts) return { type: 'failed', atUs }
    this.#deathsUs.push(atUs)
    let waitUs = limits.restartBackoffMsMin * MS
    for (let doubled = 0; doubled < before; doubled++) waitUs *= 2
    waitUs = Math.min(waitUs, limits.restartBackoffMsMax * MS)
    const drawn = this.#draws && new DataView(this.#draws.bytes(4).slice().buffer).getUint32(0) / WORD
    return {
      type: 'starts', leastUs: atUs + Math.max(TIMER_US_MIN, waitUs / 2), mostUs: atUs + Math.max(TIMER_US_MIN, waitUs),
      exactUs: drawn === undefined ? undefined
        : atUs + Math.max(TIMER_US_MIN, Math.round(waitUs / 2 + (waitUs / 2) * drawn)),
    }
  }
}
