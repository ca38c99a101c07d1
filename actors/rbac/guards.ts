import { rootReads, rootWrites, signedWrites, sudoWrites } from './base.ts'
import { lengthBit } from './enforcement.ts'
import { isFolder, segmentsOf } from './path.ts'
import type { Line, Operation } from './policy.ts'
import { Trie } from './trie.ts'

/** What no line of a policy opens, and no model. */

const trieOf = (patterns: readonly string[]): Trie => {
  const trie = new Trie()
  for (const pattern of patterns) trie.add(lineOf(pattern))
  return trie
}

const lineOf = (pattern: string): Line => ({
  role: '', object: pattern, act: 'read|write', effect: 'deny', segments: segmentsOf(pattern), text: pattern, number: 0,
})

const root = { read: trieOf(rootReads), write: trieOf(rootWrites) } as const
const sudo = { read: trieOf([]), write: trieOf(sudoWrites) } as const
const signed = trieOf(signedWrites)

const bitsOf = (patterns: readonly string[]): number => patterns.map(segmentsOf)
  .filter((segments) => segments.at(-1) !== '*').reduce((bits, { length }) => bits | lengthBit(length), 0)
const named = { read: bitsOf(rootReads), write: bitsOf([...rootWrites, ...sudoWrites]) } as const

/** Who alone may do it; for a folder, something in it. */
export function guardOf(operation: Operation, path: readonly string[]): 'root' | 'sudo' | undefined {
  if (isIn(root[operation], path)) return 'root'
  return isIn(sudo[operation], path) ? 'sudo' : undefined
}
guardOf.named = (operation: Operation): number => named[operation]

const isIn = (trie: Trie, path: readonly string[]): boolean =>
  (isFolder(path) ? trie.reach(path, '') : trie.match(path, '')) !== undefined

export const needsSignature = (key: string): boolean => signed.match(segmentsOf(key), '') !== undefined
