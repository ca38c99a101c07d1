import { scryptSync } from 'node:crypto'
import { createCrypto } from '../platform/crypto.ts'
import type { Keys } from '../platform/ports.ts'
import { createCheapKeys } from './cheap-keys.ts'

/** `real`: the signatures, agreements and ciphers of production. `cheap`: for volume. */
export type KeyKind = 'real' | 'cheap'

export async function createKeys(kind: KeyKind): Promise<Keys> {
  const real = await createCrypto()
  if (kind === 'cheap') return createCheapKeys(real)
  // Scrypt's other form completes through a thread pool. Virtual time gains nothing from its full cost
  return { ...real, slowHash: async (password, salt) => new Uint8Array(scryptSync(password, salt, 32, { N: 1 << 10 })) }
}
