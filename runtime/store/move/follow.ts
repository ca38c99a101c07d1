import { limits } from '../../limits.ts'
import type { Clock } from '../../platform/ports.ts'
import { pause } from '../../within.ts'
import type { Fence } from '../movable.ts'
import { names } from './area.ts'
import { againMax, type Copy } from './copy.ts'
import type { Scan } from './scan.ts'
import type { MoveSource } from './source.ts'
import type { LockedTarget } from './target.ts'

export interface FollowOptions {
  readonly source: MoveSource
  readonly scan: Scan
  readonly copy: Copy
  readonly target: LockedTarget
  readonly fence: Fence
  readonly clock: Clock
  /** That the cluster takes at once. */
  readonly operations: number
  readonly onProgress: () => void
}

/** What was written since it was copied is copied again, until nothing of that is left. */
export class Follow {
  readonly #options: FollowOptions
  /** Keys of one transaction. */
  readonly #most: number
  /** Keys that were given leases in the target. */
  readonly #attached: string[] = []

  constructor(options: FollowOptions) {
    this.#options = options
    this.#most = againMax(options.operations)
  }

  /**
   * Until as little is left as follows at once. Where that does not become less by itself, writes wait for each round,
   * which lasts as long as a few of etcd's: so they come no faster than they follow.
   */
  async catchUp(): Promise<void> {
    const { fence, clock, scan, onProgress } = this.#options
    for (let round = 0; round < limits.moveRounds; round++) {
      scan.assertNotOutrun()
      const isPaced = round >= limits.moveFreeRounds
      if (isPaced) await fence.begin()
      const following = this.#round()
      following.catch(() => {})
      if (isPaced) await Promise.race([following, pause(clock, limits.moveFenceMs)]).finally(() => fence.end())
      if (await following === 0) return
      onProgress()
      if (scan.changed.size <= this.#most) return
    }
  }

  /** All that is left, with its leases, while nothing is written. */
  async finish(isLate: () => boolean): Promise<void> {
    const leases = await this.#grantLeases()
    while (!isLate() && await this.#round(leases) > 0);
  }

  /** The source goes on: what was given leases in the target would end there by itself. */
  async detach(): Promise<void> {
    const { copy, scan } = this.#options
    for (const keys = this.#attached.splice(0); keys.length > 0;) {
      const some = keys.splice(0, this.#most)
      await copy.again(scan.takeAgain(some))
      scan.keepLeased(some)
    }
  }

  /** Several transactions at the same time. @returns for how many keys */
  async #round(leases?: ReadonlyMap<string, string>): Promise<number> {
    const { scan, copy, source } = this.#options
    const taken = Array.from({ length: limits.moveInFlight }, () =>
      scan.take(this.#most, { leases: leases !== undefined })).filter(({ size }) => size > 0)
    if (leases) {
      const keys = taken.flatMap((each) => [...each.keys()])
      this.#attached.push(...keys.filter((key) => source.entry(key)?.lease !== undefined))
    }
    await Promise.all(taken.map((keys) => copy.again(keys, leases)))
    return taken.reduce((sum, { size }) => sum + size, 0)
  }

  /** Each lease of the source has one in the cluster, by the same 64 bits but for the sign. */
  async #grantLeases(): Promise<ReadonlyMap<string, string>> {
    const { source, target } = this.#options
    const granted = new Map<string, string>()
    for (const { id, ttlMs } of source.leases()) {
      const wanted = String(BigInt.asUintN(63, BigInt(`0x${id}`)) || 1n)
      const lease = await target.patiently(() => target.area.grant(ttlMs, wanted))
      await target.write([], [{
        type: 'put', key: names.lease(lease.id), value: new TextEncoder().encode(id), lease: lease.id,
      }])
      granted.set(id, lease.id)
    }
    return granted
  }
}
