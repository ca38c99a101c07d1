import { scryptSync } from 'node:crypto'
import { InvalidArgument } from '../errors.ts'
import type { CertificateKeys, CertificateKeyType, CertificateSigningKey } from '../platform/certificate-keys.ts'
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
    certificates: fromSeed(keys.certificates, onExport),
  }
}

/** Ed25519 alone: keys of ECDSA and RSA come from no seed, and signatures of ECDSA differ even in length. */
function fromSeed(keys: CertificateKeys, onExport: (pem: string) => void): CertificateKeys {
  const demandSeeded = (type: CertificateKeyType): void => {
    if (type !== 'ed25519') throw new InvalidArgument(`A simulation has no keys of this type: ${type}`)
  }
  const told = (key: CertificateSigningKey): CertificateSigningKey => {
    demandSeeded(key.public.type)
    return {
      ...key,
      exportPem() {
        const pem = key.exportPem()
        onExport(pem)
        return pem
      },
    }
  }
  return {
    preferred: 'ed25519',
    async generate(type, random) {
      demandSeeded(type)
      return told(await keys.generate(type, random))
    },
    importPem: (pem) => told(keys.importPem(pem)),
    importSpki(spki) {
      const key = keys.importSpki(spki)
      demandSeeded(key.type)
      return key
    },
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
