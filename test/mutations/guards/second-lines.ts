import type { SecondLine } from '../guard.ts'

/** Guards whose absence lets nothing in that can be seen from outside: another refuses the same. */
export const secondLines: readonly SecondLine[] = [
  {
    name: 'each direction has keys of its own', file: 'runtime/link/seal.ts',
    guard: "`zonewright link ${base} ${id === 0 ? 'initiator' : 'responder'}`",
    second: 'The header names the direction, and the tag covers the header: what comes back is rejected as '
              + 'reflected',
  },
  {
    name: 'a signed frame has room for its signature', file: 'runtime/link/seal.ts',
    guard: "if ((bytes[2]! & SIGNED) !== 0 && total < HEADER + TAG + SIGNATURE) reject('cut')",
    second: 'What is too short for a signature is none that verifies',
  },
]
