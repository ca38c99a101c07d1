import { ZonewrightError } from '../../runtime/errors.ts'
import type { Keys, SigningKey } from '../../runtime/platform/ports.ts'
import type { Client } from '../../runtime/protocol.ts'
import type { Vault } from '../vault/protocol.ts'
import { VerifyHubKeyMismatch } from './protocol.ts'

/** Name of verify-hub's key in the vault. */
const KEY_NAME = 'verify-hub'

/**
 * Reads the private key, once. There is no other: without it verify-hub does not start.
 * @throws VerifyHubKeyMismatch when there is none, or it is not the one that the vault says it is
 */
export async function readSigningKey(vault: Client<typeof Vault>, keys: Keys): Promise<SigningKey> {
  const { kid, pem } = await vault.readKey({ name: KEY_NAME }).catch((error: unknown) => {
    if (error instanceof ZonewrightError && MEANS_NO_KEY.has(error.code)) {
      throw new VerifyHubKeyMismatch(`The vault gives no private key for verify-hub: ${error.code}`)
    }
    throw error
  })
  let key: SigningKey
  try {
    key = keys.importPem(pem)
  } catch {
    throw new VerifyHubKeyMismatch('The vault gave something else than a private key for verify-hub')
  }
  if (key.public.kid !== kid) throw new VerifyHubKeyMismatch(`The vault gave another key than it named: ${kid}`)
  return key
}

const MEANS_NO_KEY = new Set(['NotFound', 'SecretNotFound', 'KeyNotFound'])
