/** What months of certificates find, and moves of stores at each of their steps. */
import { guardsOf, type Guard, type SeedJudge } from '../guard.ts'

type SeedRow = readonly [
  name: string, guard: string, without: string, seed: number, invariant: string, given?: SeedJudge['options'],
]

const season: SeedJudge['options'] = { scenario: 'years', years: 0.12, nodes: 1 }
const longer: SeedJudge['options'] = { scenario: 'years', years: 0.4, nodes: 1 }
const alone: SeedJudge['options'] = { scenario: 'years', years: 1.1, nodes: 0 }
const moved: SeedJudge['options'] = { scenario: 'migrate' }

const found = (file: string, ...rows: readonly SeedRow[]): readonly Guard[] =>
  rows.map(([name, guard, without, seed, invariant, options = season]) => {
    const when = options.scenario === 'migrate' ? 'in a move' : 'through the years'
    const judge: SeedJudge = { by: 'seed', seed, options, invariant }
    return { name: `${when} ${name}`, file, guard, without, judge }
  })

export const years: readonly Guard[] = [
  ...found('actors/vault/pki/revocation.ts',
    [
      'a list says what was revoked', 'await extended(authority, last, entries, limits.vaultRevoked)',
      'last?.revoked ?? []', 3, 'revoked-refused',
    ],
    [
      'a list is followed at half of its life', 'half === undefined || half <= clock.now() ?',
      'half === undefined ?', 3, 'list-fresh',
    ],
  ),
  ...found('actors/vault/pki/tidy.ts',
    [
      'what ended a moment ago is kept', 'if (found.stored.notAfter >= before) left++',
      'if (found.stored.notAfter >= before + 29 * 86_400_000) left++', 3, 'certificate-recorded',
    ],
    [
      'what ended long ago is forgotten', 'if (found.stored.notAfter >= before) left++',
      'if (found.stored.notAfter >= 0) left++', 3, 'inventory-bounded', longer,
    ],
  ),
  ...found('actors/vault/seal/reencrypt.ts',
    [
      'what is of an older term is sealed anew',
      'if (changes.length > 0) resealed += await commit(vault, guards, changes)', '', 3, 'barrier-rotated',
    ],
  ),
  ...found('actors/vault/audit/chain.ts',
    [
      'a write that was cut off is said to be', "this.#owed.unshift({ kind: 'repaired', about: {",
      "void ({ kind: 'repaired', about: {", 3, 'quiet-log',
    ],
  ),
  ...found('actors/cert-manager/due.ts',
    [
      'an authority is replaced at half of its life', 'replaced: 0.5', 'replaced: 0.9', 3, 'authority-in-time', alone,
    ],
  ),
  ...found('runtime/store/move/move.ts',
    ['its source is retired', '    await source.retire(moved)\n', '', 12, 'one-store', moved],
  ),
  ...found('runtime/store/movable.ts',
    ['a store goes on where it went', 'if (next) this.#switch(next)', '', 12, 'one-store', moved],
  ),
  ...guardsOf('runtime/store/move/copy.ts', 'test/runtime/sim-moves.test.ts',
    [
      'what was copied behind the last page is taken for what it is', '    await this.#resumeBehind()\n', '',
      'what an interrupted move has followed behind the last page is taken for what it is by the next',
    ],
  ),
]
