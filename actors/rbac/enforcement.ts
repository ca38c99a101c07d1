import type { Holder } from './roles.ts'
import type { Line, Operation } from './policy.ts'

/** What decides for one side of an access, by lines. */
export interface Engine {
  of(holder: Holder): Enforcement
}

/** What one holder may do. */
export interface Enforcement {
  /** The line that allows it, or that denies it; undefined when there is neither. */
  find(operation: Operation, path: readonly string[]): Line | undefined
  /**
   * By bit, lengths of the patterns that name their last segment: between paths of another length in one folder no line
   * tells. undefined when that is not known.
   */
  named(operation: Operation): number | undefined
}

/** A length in bits; longer ones share the last of them. */
export const lengthBit = (segments: number): number => 1 << Math.min(segments, 30)
