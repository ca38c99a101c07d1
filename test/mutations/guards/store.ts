/** Transactions, leases, logs and holds. */
import { guardsOf, type Guard } from '../guard.ts'

export const store: readonly Guard[] = [
  ...guardsOf('runtime/platform/files.ts', 'test/runtime/platform.test.ts',
    [
      'a file name stays in its folder', "if (isAbsolute(name) || name.split(/[\\\\/]/).includes('..')) {",
      'if (false) {', 'a name stays in its folder',
    ],
  ),
  ...guardsOf('runtime/store/change.ts', 'test/runtime/store-commit.test.ts',
    [
      'a store is not too large', 'if (bytes > limits.storeBytes && bytes > view.bytes) {', 'if (false) {',
      'a full store refuses what makes it larger, and takes what makes it smaller',
    ],
  ),
  ...guardsOf('runtime/store/change.ts', 'test/runtime/store-guards.test.ts',
    [
      'a put is of a lease that lives',
      'if (put.lease !== undefined && !view.hasLease(put.lease)) throw expired(put.lease)', '',
      'a lease lives by its time: one that is over takes no key and no renewal, one that was renewed does',
    ],
    [
      'a value is the store’s own', 'value: new Uint8Array(put.value),', 'value: put.value,',
      'what a caller does to a value stays with the caller',
    ],
  ),
  ...guardsOf('runtime/store/check-arguments.ts', 'test/runtime/store-guards.test.ts',
    [
      'a value is not too long', 'if (value.length <= limits.valueBytes) return\n', 'return\n',
      'keys and values are no longer than they may be, are Unicode, and a transaction writes a key once',
    ],
    [
      'a key is not too long', 'if (bytes > limits.keyBytes) throw', 'if (false) throw',
      'keys and values are no longer than they may be, are Unicode, and a transaction writes a key once',
    ],
    [
      'a transaction writes a key once', 'if (written.has(operation.key)) throw', 'if (false) throw',
      'keys and values are no longer than they may be, are Unicode, and a transaction writes a key once',
    ],
    [
      'a key is Unicode', 'if (!prefix.isWellFormed()) throw', 'if (false) throw',
      'keys and values are no longer than they may be, are Unicode, and a transaction writes a key once',
    ],
  ),
  ...guardsOf('runtime/store/embedded/folder-hold.ts', 'test/runtime/store-embedded.test.ts',
    [
      'a folder has one holder of a process', 'if (heldHere.has(folder)) throw inUse(folder, process.pid)', '',
      'the same thread cannot open a folder twice, by whatever path',
    ],
    [
      'a folder has one holder of a machine',
      'if (holder && holder.pid !== process.pid && lives(holder)) throw inUse(folder, holder.pid)', '',
      'a second process gets FolderInUse and the process id of the first, until that dies',
    ],
    [
      'a holder looks whether it was fenced',
      'if (!existsSync(holdPath(folder, generation + 1)) && fstatSync(file).nlink > 0) return', 'return',
      'a holder that was fenced acknowledges nothing more, and what it writes then is not there',
    ],
  ),
  ...guardsOf('runtime/store/embedded/log-contents.ts', 'test/runtime/store-embedded.test.ts',
    [
      'changes of a log come one after the other',
      'if (!begun || change.revision !== state.revision + (change.writes.length > 0 ? 1 : 0)) return false',
      'if (!begun) return false', 'an empty log, or one with records out of place, is StoreDamaged',
    ],
    [
      'a log has its beginning', 'return this.#begun ? this.#state : undefined', 'return this.#state',
      'a log that is cut opens with the whole changes; cut in its beginning, it is damaged',
    ],
  ),
  ...guardsOf('runtime/store/embedded/log-file.ts', 'test/robustness-disk.test.ts',
    ['what a full disk refused is taken back', '      await this.#takeBack()\n', ''],
  ),
  ...guardsOf('runtime/store/embedded/log-file.ts', 'test/runtime/store-embedded.test.ts',
    [
      'a log that is damaged is not opened', "if (!('damagedAt' in state)) return state\n",
      "if ('damagedAt' in state) return undefined\n  if (!('damagedAt' in state)) return state\n",
      'a changed byte anywhere is StoreDamaged, with folder, place and what to do',
    ],
    [
      'a holder that was fenced acknowledges nothing',
      '    this.#appended += bytes.length\n    this.#hold.assertHeld()', '    this.#appended += bytes.length',
      'a holder that was fenced acknowledges nothing more, and what it writes then is not there',
    ],
  ),
  ...guardsOf('runtime/store/embedded/log-record.ts', 'test/runtime/store-embedded.test.ts',
    [
      'a record of a log has its check sum',
      "if (length < 4 || view.getUint32(4) !== crc32(bytes, start, end)) return 'damaged'",
      "if (length < 4) return 'damaged'", 'a changed byte anywhere is StoreDamaged, with folder, place and what to do',
    ],
    [
      'the head of a record has its check sum', 'if (view.getUint32(8) !== crc32(bytes, offset, offset + 8)) {',
      'if (false) {', 'a changed byte anywhere is StoreDamaged, with folder, place and what to do',
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
  ...guardsOf('runtime/store/group-commit.ts', 'test/runtime/store-embedded.test.ts',
    [
      'a write is answered when it is durable',
      'if (current.changes.length > 0) await this.#options.persist(current.changes)',
      'if (current.changes.length > 0) void this.#options.persist(current.changes).catch(() => {})',
      'a holder that was fenced acknowledges nothing more, and what it writes then is not there',
    ],
    [
      'a store that failed is stopped', 'this.#stop(failure(error), current)\n        break',
      'this.#giveUp(failure(error), current)\n        continue',
      'a holder that was fenced acknowledges nothing more, and what it writes then is not there',
    ],
  ),
  ...guardsOf('runtime/store/group-commit.ts', 'test/runtime/store-guards.test.ts',
    [
      'a transaction is compared',
      'if (!compare.every(({ key, modRevision }) => (staged.entry(key)?.modRevision ?? 0) === modRevision)) {',
      'if (false) {', 'a transaction whose comparison fails writes nothing',
    ],
    [
      'a transaction is compared with what is on its way', '(staged.entry(key)?.modRevision ?? 0) === modRevision',
      '(this.#state.entry(key)?.modRevision ?? 0) === modRevision',
      'of two transactions in one turn that compare the same, one succeeds',
    ],
    [
      'writes that wait are few', 'if (length >= limits.storePending) throw', 'if (false) throw',
      'writes that wait are few',
    ],
    [
      'a value that is handed out is a copy', 'const copy = new Uint8Array(value)', 'const copy = value',
      'what a caller does to a value stays with the caller',
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
