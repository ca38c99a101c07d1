import { bootSteps } from './cluster.ts'
import { faultKinds, type FaultKind } from './faults.ts'

/** So many seeds in a row have every pair of fault and step. */
export const focusCount = faultKinds.length * bootSteps.length

/**
 * What a seed's first fault is: every kind at every step of the boot, one pair after the other, so that so many seeds
 * in a row as there are pairs miss none.
 */
export function focusOf(seed: number): { readonly kind: FaultKind; readonly step: number } {
  const kind = faultKinds[seed % faultKinds.length]!
  return { kind, step: bootSteps[Math.floor(seed / faultKinds.length) % bootSteps.length]! }
}
