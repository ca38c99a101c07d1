/** Transactions, leases, logs and holds. */
import { guardsOf, type Guard } from '../guard.ts'

export const store: readonly Guard[] = [
  ...guardsOf('runtime/store/change.ts', 'test/runtime/store-commit.test.ts',
    [
      'a store is not too large', 'if (bytes > limits.storeBytes && bytes > view.bytes) {', 'if (false) {',
      'a full store refuses what makes it larger, and takes what makes it smaller',
    ],
  ),
  ...guardsOf('runtime/store/group-commit.ts', 'test/runtime/store-commit.test.ts',
    [
      'a comparison that failed is told when it is durable',
      '      await this.#commit(undefined)\n      return { succeeded: false', '      return { succeeded: false',
      'a compare sees what is on its way to the disk, and its answer waits until that is durable',
    ],
    [
      'what is not durable is shown to nobody', '      this.#staged.add(change)\n',
      '      this.#staged.add(change)\n      this.#state.apply(change)\n',
      'what is not durable yet is not seen by a reader, a list or a watch',
    ],
    [
      'a store that stopped answers nothing', 'if (this.#stopped) throw this.#stopped\n', '',
      'a commit that fails stops the store: what was in flight and all later calls are Unavailable',
    ],
    [
      'a lease that has expired is not renewed',
      'if (!this.#staged.hasLease(id) || !this.#leases.renew(id)) throw expired(id)', 'this.#leases.renew(id)',
      'a lease is over when its time is, even where its timer is late; a renewal moves the timer',
    ],
    [
      'leases are few', 'if (staged.leaseCount >= limits.leases) throw', 'if (false) throw',
      'leases are bounded: one more is Overloaded, and ending one makes room',
    ],
  ),
  ...guardsOf('runtime/store/history.ts', 'test/runtime/store-commit.test.ts',
    [
      'history that is gone is said to be', 'if (after < this.#floor) {', 'if (false) {',
      'history keeps its number of revisions and no more',
    ],
  ),
  ...guardsOf('runtime/store/lease-clock.ts', 'test/runtime/store-commit.test.ts',
    [
      'a lease expires by its time, not by its timer', 'if (!running || now >= running.expiresAt) return false',
      'if (!running) return false',
      'a lease is over when its time is, even where its timer is late; a renewal moves the timer',
    ],
    [
      'a lease that was renewed lives',
      'if (this.#clock.monotonic() < running.expiresAt) this.#arm(running)\n      else this.#expire', 'this.#expire',
      'a lease is over when its time is, even where its timer is late; a renewal moves the timer',
    ],
  ),
]
