import type { SecondLine } from '../guard.ts'

/** Guards whose absence lets nothing in that can be seen from outside: another refuses the same. */
export const secondLines: readonly SecondLine[] = [

]
