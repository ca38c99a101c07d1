import { scryptSync } from 'node:crypto'
import { createCrypto } from '../platform/crypto.ts'
import type { Keys, SigningKey } from '../platform/ports.ts'
import { createCheapKeys } from './cheap-keys.ts'
import { Nondeterminism } from './nondeterminism.ts'

/** `real`: the signatures, agreements and ciphers of production. `cheap`: for volume. */
export type KeyKind = 'real' | 'cheap'

/** `onExport` is told of each private key that leaves its object. */
export async function createKeys(kind: KeyKind, onExport: (pem: string) => void = () => {}): Promise<Keys> {
  const real = await createCrypto()
  const keys = kind === 'cheap' ? createCheapKeys(real) : {
    ...real,
    // Scrypt's other form completes through a thread pool. Virtual time gains nothing from its full cost
    slowHash: async (password: Uint8Array, salt: Uint8Array) =>
      new Uint8Array(scryptSync(password, salt, 32, { N: 1 << 10 })),
  }
  return {
    ...keys,
    generate: (random) => inClear(keys.generate(random), onExport),
    importPem: (pem, passphrase) => inClear(keys.importPem(pem, passphrase), onExport),
  }
}

function inClear(key: SigningKey, onExport: (pem: string) => void): SigningKey {
  return {
    ...key,
    exportPem(passphrase) {
      if (passphrase !== undefined) throw new Nondeterminism('An encrypted private key has a random salt')
      const pem = key.exportPem()
      onExport(pem)
      return pem
    },
  }
}
