import { lengthBit, type Enforcement, type Engine } from './enforcement.ts'
import { isFolder } from './path.ts'
import { isFor, operations, type Line, type Operation, type Policy } from './policy.ts'
import { bases, type Holder } from './roles.ts'
import { Trie } from './trie.ts'

/**
 * The engine of the built-in model: by role, then by the segments of paths. casbin walks every line for every decision.
 */
export function indexEngine(added: Policy): Engine {
  const own = indexOf(added)
  return {
    of({ side, caller, roles }: Holder): Enforcement {
      const held: RoleLines[] = []
      for (const role of roles) {
        for (const lines of [baseIndex[side].get(role), own.get(role)]) if (lines) held.push(lines)
      }
      return enforcementOf(held, caller)
    },
  }
}

class RoleLines {
  readonly allow: Partial<Record<Operation, Trie>> = {}
  readonly deny: Partial<Record<Operation, Trie>> = {}
  readonly named: Record<Operation, number> = { read: 0, write: 0 }

  add(line: Line): void {
    for (const operation of operations) {
      if (!isFor(line, operation)) continue
      const trie = this[line.effect][operation] ??= new Trie()
      trie.add(line)
      if (line.segments.at(-1) !== '*') this.named[operation] |= lengthBit(line.segments.length)
    }
  }
}

function indexOf({ lines }: Policy): ReadonlyMap<string, RoleLines> {
  const byRole = new Map<string, RoleLines>()
  for (const line of lines) {
    let ofRole = byRole.get(line.role)
    if (!ofRole) byRole.set(line.role, ofRole = new RoleLines())
    ofRole.add(line)
  }
  return byRole
}

const baseIndex = { app: indexOf(bases.app), subject: indexOf(bases.subject) } as const

const enforcementOf = (held: readonly RoleLines[], caller: string): Enforcement => ({
  find(operation, path) {
    for (const { deny } of held) {
      const trie = deny[operation]
      const line = trie && (isFolder(path) ? trie.reach(path, caller) : trie.match(path, caller))
      if (line) return line
    }
    for (const { allow } of held) {
      const line = allow[operation]?.match(path, caller)
      if (line) return line
    }
    return undefined
  },
  named: (operation) => held.reduce((bits, { named }) => bits | named[operation], 0),
})
