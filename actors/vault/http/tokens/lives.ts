import { limits } from '../../../../runtime/limits.ts'
import type { TokenRecord } from './record.ts'

/**
 * Seconds that a token gets: what was asked for, or the ordinary life, and no more than its own bound and the vault's.
 * A periodic one gets its period each time.
 */
export function lifeOf(
  { explicitMaxTtl, period, createdAt }: Pick<TokenRecord, 'explicitMaxTtl' | 'period' | 'createdAt'>,
  asked: number, now: number,
): number {
  const since = Math.floor((now - createdAt) / 1_000)
  const bound = (most: number): number => (most === 0 ? Infinity : Math.max(0, most - since))
  if (period > 0) return Math.min(period, bound(explicitMaxTtl))
  const wanted = asked > 0 ? asked : limits.vaultTokenSeconds
  return Math.min(wanted, bound(explicitMaxTtl), bound(limits.vaultTokenSeconds))
}

/** Seconds left, 0 for one that does not end. */
export const leftOf = ({ expiresAt }: TokenRecord, now: number): number =>
  (expiresAt === 0 ? 0 : Math.max(0, Math.ceil((expiresAt - now) / 1_000)))
