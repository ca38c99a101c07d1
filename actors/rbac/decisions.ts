import { limits } from '../../runtime/limits.ts'
import type { Decision } from './judge.ts'
import { lengthBit } from './enforcement.ts'

/**
 * What was allowed, by path; or by folder, where the last segment cannot matter. A pattern looks at the last segment of
 * a path only when it is as long as the path and does not end with `*`: a longer one never matches it, and a shorter
 * one has looked at all that it says before. What holds for each path in a folder is no answer about the folder: lines
 * that are about longer paths may deny some of it.
 */
export class Decisions {
  /** Lengths of the patterns that name their last segment, by bit; undefined: any may matter. */
  readonly #named: number | undefined
  #folders: Remembered | undefined
  #paths: Remembered | undefined

  constructor(named: number | undefined) {
    this.#named = named
  }

  get(path: string): Decision | undefined {
    if (path.endsWith('/')) return this.#paths?.get(path)
    return this.#folders?.get(folderOf(path)) ?? this.#paths?.get(path)
  }

  set(path: string, segments: number, decision: Decision): void {
    const whole = this.#named === undefined || (this.#named & lengthBit(segments)) !== 0 || path.endsWith('/')
    if (whole) (this.#paths ??= new Remembered()).set(path, decision)
    else (this.#folders ??= new Remembered()).set(folderOf(path), decision)
  }
}

const folderOf = (path: string): string => path.slice(0, path.lastIndexOf('/') + 1)

/** In two halves: when one is full the older is forgotten whole. Deleting one by one costs more than it saves. */
class Remembered {
  #recent = new Map<string, Decision>()
  #older: ReadonlyMap<string, Decision> | undefined

  get(key: string): Decision | undefined {
    return this.#recent.get(key) ?? this.#older?.get(key)
  }

  set(key: string, decision: Decision): void {
    if (this.#recent.size >= limits.accessDecisions / 2) {
      this.#older = this.#recent
      this.#recent = new Map()
    }
    this.#recent.set(key, decision)
  }
}
