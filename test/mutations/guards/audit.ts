/** The audit: what is recorded before it is answered, and what is found when somebody changes it. */
import { guardsOf, type Guard } from '../guard.ts'

const recorded = 'what is asked, allowed or not, and what becomes of the vault, is recorded before it is answered'
const full = 'on a full disk nothing is answered unaudited, and it goes on when there is room: false'
const cutOff = 'a write that was cut off anywhere is repaired by the next start, which says so'
const moved = 'a record that is taken out, put in, put elsewhere or there twice is found, wherever it is'
const changed = 'a byte that is changed anywhere is found'
const zone = 'the audit of a zone is verified and shown by commands, and an end that is gone is found by the store'

export const audit: readonly Guard[] = [
  ...guardsOf('actors/vault/guarded.ts', 'test/actors/vault-audit.test.ts',
    [
      'what was done is recorded before it is answered',
      "if (of === undefined && !unrecorded.has(method)) await audit.record({ ...entry, outcome: 'done', about })", '',
      recorded,
    ],
    ['what has begun is durable before it is answered', 'const of = await begun\n', 'const of = begun && 1\n', recorded],
    [
      'what was refused is recorded', 'await audit.record({ ...entry, outcome: code', 'if (false) await audit.record({ '
        + '...entry, outcome: code', recorded,
    ],
  ),
  ...guardsOf('actors/vault/audit/chain.ts', 'test/actors/vault-audit.test.ts',
    ['of a write that fails nothing is taken for done', 'for (const { reject } of failed) reject(reason)',
      'for (const { resolve } of failed) resolve(0)', full],
    ['after a write that failed the chain goes on from what is durable', 'this.#head = this.#durable\n', '', full],
    [
      'what a write that failed has left is looked at', 'if (this.#doubtful) await this.#lookAgain()', '',
      'on a full disk nothing is answered unaudited, and it goes on when there is room: true',
    ],
    [
      'a write that was cut off is said', 'if (region.length === 0) return\n', 'return\n', cutOff,
    ],
    [
      'a line that was cut off swallows no other', 'this.#newlineFirst = open', 'this.#newlineFirst = false', cutOff,
    ],
    [
      'an end that is gone is said', 'if (!known || known.seq <= seq) return\n', 'return\n',
      'the store of the vault knows how far the chain has come, and an end that is gone is said by the next start',
    ],
    [
      'records that wait are bounded', 'if (this.#waiting.length >= limits.auditPending) {', 'if (false) {',
      'more records than may wait are refused',
    ],
    [
      'a disk that fails ends it', 'if (!isFull) this.#broken ??= reason', '',
      'a disk that fails ends the vault: nobody knows what is on it',
    ],
    [
      'it is signed after so many records', 'if (this.#key && this.#head.seq - this.#signed >= limits.auditSignRecords) {',
      'if (false) {', 'it is signed after so many records, and after so long where there are fewer',
    ],
  ),
  ...guardsOf('actors/vault/audit/walk.ts', 'test/audit-verify.test.ts',
    ['a record is chained to the one before', 'if (record.prev !== before.hash) {', 'if (false) {', changed],
    ['no record is missing', 'if (record.seq > expected) {', 'if (false) {', 'a fault is named, with the record'],
    ['no record stands twice', 'if (record.seq < expected) {', 'if (false) {', 'a fault is named, with the record'],
    [
      'what is no record is noticed', "else this.#find('changed', record.seq, `What", 'else if (false) '
        + "this.#find('changed', record.seq, `What", moved,
    ],
  ),
  ...guardsOf('actors/vault/audit/signature.ts', 'test/audit-verify.test.ts',
    [
      'a signature is of this host', 'if (payload.zone !== zone || payload.host !== host) return', 'if (false) return',
      'the chain of another host is none of this one',
    ],
    [
      'a signature is over this chain', "return payload.seq === seq && payload.hash === hash ? undefined : 'it",
      "return payload.seq > 0 ? undefined : 'it", 'a chain that was written anew as a whole is found by its signatures',
    ],
  ),
  ...guardsOf('boot/audit/verify.ts', 'test/audit-verify.test.ts',
    [
      'a signature is judged by the key', ': pointFault(this.#platform.keys, this.#key, this.#name, before,',
      ': undefined && pointFault(this.#platform.keys, this.#key, this.#name, before,',
      'whoever signs anew needs the key: one put beside the chain is noticed by who kept the right one',
    ],
    ['an end that is gone is found by the store', 'if (known && known.seq > end.seq) {', 'if (false) {', zone],
    [
      'signatures that are gone are missed', 'if (count <= UNSIGNED_RECORDS && ms <= UNSIGNED_MS) return\n', 'return\n',
      'signatures that were all taken away after a while are missed',
    ],
  ),
  ...guardsOf('boot/audit/verify.ts', 'test/actors/vault-audit.test.ts',
    [
      'no segment is missing', 'if (first > expected) {', 'if (false) {',
      'a segment that is full is followed by the next, named for its first record',
    ],
  ),
]
