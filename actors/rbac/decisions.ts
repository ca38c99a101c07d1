import { limits } from '../../runtime/limits.ts'
import type { Decision } from './access.ts'

/**
 * What was allowed, by path; or by folder, where the last segment cannot matter. A pattern looks at the last segment of
 * a path only when it is as long as the path and does not end with `*`: a longer one never matches it, and a shorter
 * one has looked at all that it says before.
 */
export class Decisions {
  /** Lengths, in segments, of the patterns that name their last segment. */
  readonly #named: ReadonlySet<number>
  readonly #folders = new Remembered()
  readonly #paths = new Remembered()

  constructor(patterns: Iterable<readonly string[]>) {
    const named = new Set<number>()
    for (const pattern of patterns) if (pattern.at(-1) !== '*') named.add(pattern.length)
    this.#named = named
  }

  get(path: string): Decision | undefined {
    return this.#folders.get(folderOf(path)) ?? this.#paths.get(path)
  }

  set(path: string, segments: number, decision: Decision): void {
    if (this.#named.has(segments)) this.#paths.set(path, decision)
    else this.#folders.set(folderOf(path), decision)
  }
}

const folderOf = (path: string): string => path.slice(0, path.lastIndexOf('/') + 1)

/** In two halves: when one is full the older is forgotten whole. Deleting one by one costs more than it saves. */
class Remembered {
  #recent = new Map<string, Decision>()
  #older = new Map<string, Decision>()

  get(key: string): Decision | undefined {
    return this.#recent.get(key) ?? this.#older.get(key)
  }

  set(key: string, decision: Decision): void {
    if (this.#recent.size >= limits.accessDecisions / 2) {
      this.#older = this.#recent
      this.#recent = new Map()
    }
    this.#recent.set(key, decision)
  }
}
