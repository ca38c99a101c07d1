/** The move of a store: whose target it is, what is verified, when writes go on, and what stays behind. */
import { guardsOf, type Guard } from '../guard.ts'

const again = 'test/runtime/store-move-again.test.ts'
const between = 'test/runtime/store-move-between.test.ts'
const moves = 'test/runtime/store-move.test.ts'
const simulated = 'test/runtime/sim-move.test.ts'
const limited = 'test/limits/move.test.ts'
const purged = 'test/boot/purge.test.ts'

export const migrate: readonly Guard[] = [
  ...guardsOf('runtime/store/move/lock.ts', again,
    [
      'a target is that of the same store',
      'if (owner !== undefined && owner !== source.id || id && !marker || key && !marker) {', 'if (false) {',
      'the store of another is refused, with both ids, and nothing of it is changed',
    ],
    [
      'what was used in etcd is not overwritten', '|| revision > marker.value.revision && !used) return',
      '|| revision > marker.value.revision) return',
      'a copy of a folder that was moved does not overwrite what is newer, nor is it taken for the store',
    ],
    [
      'one at a time moves a store',
      'if (lock && (holder?.host !== owner.host || holder.source !== owner.source)) throw heldBy',
      'if (false) throw heldBy',
      'of two that move one store at once one is refused; what is being filled cannot be opened',
    ],
  ),
  ...guardsOf('runtime/store/move/lock.ts', between,
    [
      'a lock is its owner’s', 'if (found && holder?.run !== this.#owner.run) throw heldBy',
      'if (false) throw heldBy',
      'a mover whose lock was taken by another one writes nothing more',
    ],
  ),
  ...guardsOf('runtime/store/move/target.ts', between,
    [
      'a write to a target is under the lock', 'compare: [guard, ...compare],', 'compare: [...compare],',
      'a mover whose lock was taken by another one writes nothing more',
    ],
  ),
  ...guardsOf('runtime/store/move/copy.ts', again,
    [
      'a key without a row was not copied', "if (!row) throw mismatch('a key that nobody has copied'",
      "if (false) throw mismatch('a key that nobody has copied'",
      'what somebody else writes under the prefix is noticed: as strange, or as not what is to be there',
    ],
    [
      'what an earlier move has copied may be old', 'if (entry && kv.lease === undefined && isSame(entry, found, kv))',
      'if (entry && kv.lease === undefined)',
      'what somebody else writes under the prefix is noticed: as strange, or as not what is to be there',
    ],
  ),
  ...guardsOf('runtime/store/move/copy.ts', between,
    [
      'what was copied is what is read back', 'if (!same) throw mismatch', 'if (false) throw mismatch',
      'what is read back is compared byte by byte, and nobody else may have added to it',
    ],
    [
      'nobody else has added to it', 'if (keys!.count !== this.digest.count) throw mismatch',
      'if (false) throw mismatch',
      'what is read back is compared byte by byte, and nobody else may have added to it',
    ],
  ),
  ...guardsOf('runtime/store/move/move.ts', simulated,
    [
      'a target that has everything may not have it any more',
      'if (source.revision > marker.revision) return false', '',
    ],
  ),
  ...guardsOf('runtime/store/move/move.ts', between,
    [
      'what may have become a store is taken back when its source goes on',
      'if (outcome || failure) await target.patiently(() => lock.takeBack())', '',
      'an activation that is heard of too late is taken back: the source had gone on',
    ],
  ),
  ...guardsOf('runtime/store/move/scan.ts', between,
    [
      'what is new when all was looked at is told of once', 'if (this.complete) return undefined\n', '',
      'what is new when all was looked at is told of once, as changed',
    ],
  ),
  ...guardsOf('runtime/store/move/open-area.ts', again,
    [
      'what is being filled is no store', "if (!id || decoded.state !== 'active') throw",
      "if (decoded.state !== 'active') throw new Error('none')\n  if (!id) throw",
      'of two that move one store at once one is refused; what is being filled cannot be opened',
    ],
  ),
  ...guardsOf('runtime/store/move/moved-store.ts', moves,
    [
      'a watch from before the move is told so', 'if (isRevision && after < this.#base) {', 'if (false) {',
      'a watch ends with Compacted as the store changes its place; one from a revision of before does too',
    ],
    [
      'a revision of before is that of the copy only', 'untouched?.mod === modRevision ? found!.modRevision',
      'found ? found.modRevision',
      'a revision from before the move is good for a compare as long as the key was not written since',
    ],
  ),
  ...guardsOf('runtime/store/state.ts', moves,
    [
      'what stayed behind is no store', 'if (!this.moved) return\n', 'return\n',
      'entries keep their values, order and revisions, and are the same when the store is opened there',
    ],
  ),
  ...guardsOf('runtime/store/etcd/members.ts', 'test/limits/etcd.test.ts',
    [
      'a member that does not answer is left alone', 'if (isTry && !this.#mayTry(host)) throw', 'if (false) throw',
      'a member that did not answer is left alone as long as the limit, then one call at a time tries it',
    ],
  ),
  ...guardsOf('runtime/store/move/scan.ts', limited,
    [
      'a move is not outrun', 'if (this.changed.size <= limits.moveBehind) return\n', 'return\n',
      'as many keys as the limit may be behind, one more and the move is outrun',
    ],
  ),
  ...guardsOf('boot/migrate/purge.ts', purged,
    [
      'data is removed only when all has moved', "if (migration?.state !== 'done') {", 'if (false) {',
      'nothing is removed before all stores have been moved',
    ],
  ),
  ...guardsOf('runtime/store/embedded/purge.ts', purged,
    ['only what was moved is removed', 'if (!state.moved) throw', 'if (false) throw',
      'a store that was not moved keeps all it has'],
  ),
  ...guardsOf('actors/node-daemon/operate.ts', 'test/actors/operator-guards.test.ts',
    [
      'who moves the stores of a host may',
      "const demandMove = (cx: Cx): Promise<void> => demand(cx, 'write', kv.control(self.host))",
      'const demandMove = async (_: Cx): Promise<void> => {}', 'who may nothing is told nothing, and does nothing',
    ],
  ),
  ...guardsOf('boot/supervision.ts', 'test/boot/supervision.test.ts',
    [
      'the daemon moves stores', "onlyDaemon(peer, 'move stores')\n        return migrationsOf(parts).start()",
      'return migrationsOf(parts).start()',
      'only the node daemon starts, stops, kills, reads logs and denials, and says which hosts there are',
    ],
  ),
]
