import { isScheme } from './path.ts'
import type { Line } from './policy.ts'

/**
 * Lines by the segments of their patterns: of a thousand lines a path is compared with the few that begin as it does.
 * What it finds is what `matches` and `reaches` (path.ts) say of each line.
 */
export class Trie {
  readonly #root = new Node()

  add(line: Line): void {
    let node = this.#root
    line.segments.forEach((segment, index) => {
      if (segment === '*' && index === line.segments.length - 1) node.rest ??= line
      else if (segment === '*') node = node.star ??= new Node()
      else if (segment.startsWith('{')) node = node.caller ??= new Node()
      else node = node.child(segment)
    })
    if (line.segments.at(-1) !== '*') node.end ??= line
  }

  /** A line that matches the path: of several the one that says most of it. */
  match(path: readonly string[], caller: string): Line | undefined {
    return match(this.#root, { path, length: path.length, caller }, 0)
  }

  /** A line that could match something in the folder. */
  reach(folder: readonly string[], caller: string): Line | undefined {
    return match(this.#root, { path: folder, length: folder.length - 1, caller }, 0)
  }
}

class Node {
  /** Most nodes have one child or none. */
  #names: Map<string, Node> | undefined
  caller: Node | undefined
  star: Node | undefined
  /** The line that ends here, and the one that matches all that follows. */
  end: Line | undefined
  rest: Line | undefined

  named(segment: string): Node | undefined {
    return this.#names?.get(segment)
  }

  child(segment: string): Node {
    this.#names ??= new Map()
    let node = this.#names.get(segment)
    if (!node) this.#names.set(segment, node = new Node())
    return node
  }

  /** Any line of this node or below it. */
  any(): Line | undefined {
    return this.end ?? this.below(false)
  }

  /** Any line about something below: the one that ends here is about the key of that name. */
  below(isRoot: boolean): Line | undefined {
    const found = this.rest ?? this.caller?.any() ?? this.star?.any()
    if (found || !this.#names) return found
    for (const [segment, node] of this.#names) {
      const named = isRoot && isScheme(segment) ? undefined : node.any()
      if (named) return named
    }
    return undefined
  }
}

interface Sought {
  readonly path: readonly string[]
  /** Segments that a pattern has to go along with; of a folder all but the empty last one. */
  readonly length: number
  readonly caller: string
}

function match(node: Node, sought: Sought, index: number): Line | undefined {
  const { path, length, caller } = sought
  if (index === length) return length === path.length ? node.end : node.below(index === 0)
  const segment = path[index]!
  const named = node.named(segment)
  const found = named && match(named, sought, index + 1)
  if (found) return found
  if (index === 0 && isScheme(segment)) return undefined
  const own = node.caller && segment === caller ? match(node.caller, sought, index + 1) : undefined
  if (own) return own
  const one = node.star && segment !== '' ? match(node.star, sought, index + 1) : undefined
  return one ?? node.rest
}
