/** What is kept ready, because it is needed again and again, is what there is now. */
import { guardsOf, type Guard } from '../guard.ts'

const reads = 'test/actors/kept-reads.test.ts'
const held = 'a file that is held open is still the one of its name: replaced, moved, gone, written to by others'

export const kept: readonly Guard[] = [
  ...guardsOf('actors/vault/kept-reads.ts', reads,
    [
      'an entry is the one that was opened', 'isSame(found.sealed, sealed) ?', 'true ?',
      'an entry that nobody wrote is not opened twice, and one that was written is',
    ],
    [
      'all of its bytes count', 'if (left[index] !== right[index]) return false', '',
      'an entry that was changed or moved in the store is refused, whatever was opened before',
    ],
    ['what many have nobody changes', 'value: frozen(value)', 'value', 'what many have is changed by none of them'],
    ['few are kept', 'if (this.#kept.size > this.#most) for', 'if (false) for', 'only the newest are kept'],
  ),
  ...guardsOf('actors/vault/barrier.ts', reads,
    [
      'of a sealed vault nothing is read', 'if (terms.aeadOf(termOf(entry.value)) === undefined)', 'if (false)',
      'a sealed vault gives nothing of what it had open',
    ],
  ),
  ...guardsOf('runtime/platform/random.ts', 'test/runtime/platform.test.ts',
    [
      'what was drawn is drawn once', 'at += length)', 'at)',
      'random bytes are as many as asked for, come once, and are their holder\'s alone',
    ],
    [
      'what was drawn is a copy', 'new Uint8Array(randomBytes(POOL_BYTES))', 'randomBytes(POOL_BYTES)',
      'random bytes are as many as asked for, come once, and are their holder\'s alone',
    ],
  ),
  ...guardsOf('runtime/platform/append.ts', 'test/runtime/actor-files.test.ts',
    ['what is held is the file of its name', 'found?.dev === file.device && found.ino === file.inode', 'found', held],
  ),
]
