import { ZonewrightError } from '../../runtime/errors.ts'
import type { Keys, SigningKey } from '../../runtime/platform/ports.ts'
import type { Client } from '../../runtime/protocol.ts'
import type { Vault } from '../vault/protocol.ts'
import { VerifyHubKeyMismatch } from './protocol.ts'

/** Name of verify-hub's key in the vault. */
const KEY_NAME = 'verify-hub'

/**
 * Reads the private key, once. There is no other: without it verify-hub does not start.
 * @throws VerifyHubKeyMismatch
 */
export async function readSigningKey(vault: Client<typeof Vault>, keys: Keys): Promise<SigningKey> {
  const { pem } = await vault.readKey({ name: KEY_NAME }).catch((error: unknown) => {
    if (error instanceof ZonewrightError && MEANS_NO_KEY.has(error.code)) {
      throw new VerifyHubKeyMismatch(`The vault gives no private key for verify-hub: ${error.code}`)
    }
    throw error
  })
  try {
    return keys.importPem(pem)
  } catch {
    throw new VerifyHubKeyMismatch('The vault gave something else than a private key for verify-hub')
  }
}

const MEANS_NO_KEY = new Set(['NotFound', 'SecretNotFound', 'KeyNotFound'])
