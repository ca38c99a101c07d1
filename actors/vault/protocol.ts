import { defineError } from '../../runtime/errors.ts'
import {
  array, boolean, call, integer, number, object, optional, pipe, protocol, string, type Infer,
} from '../../runtime/protocol.ts'
import { PublicKey } from '../system-config/protocol.ts'

const count = pipe(number(), integer())

/** What is told of one version of a key; its private part is read by `readKey`. */
export const KeyVersion = object({
  version: count, kid: string(), publicKey: PublicKey,
  /** Epoch milliseconds. */
  createdAt: number(),
})
export type KeyVersion = Infer<typeof KeyVersion>

/** Every method asks for a sealed link; grants of key material are signed so that they can be proved later. */
export const Vault = protocol('vault', {
  status: call(object({}), object({
    initialised: boolean(), sealed: boolean(), term: count, threshold: count, shares: count, vaultId: string(),
  }), { concurrent: 8, suite: 'sealed' }),
  /** Creates the Ed25519 key if it is absent; every retry gets the same answer. */
  ensureKey: call(
    object({ name: string() }), object({ kid: string(), publicKey: PublicKey, created: boolean() }),
    { suite: 'signature' },
  ),
  /** What is told of every version of a key, oldest first. */
  keyVersions: call(object({ name: string() }), array(KeyVersion), { concurrent: 8, suite: 'sealed' }),
  /** The version after that of `after`: made if it is absent; every retry gets the same answer. */
  rotateKey: call(
    object({ name: string(), after: string() }), object({ ...KeyVersion.entries, created: boolean() }),
    { suite: 'signature' },
  ),
  /** A private key, PKCS #8 PEM: of the oldest version, or of `kid`. For the one actor that the vault policy names. */
  readKey: call(
    object({ name: string(), kid: optional(string()) }), object({ kid: string(), version: count, pem: string() }),
    { suite: 'signature' },
  ),
  /** Destroys every version that is older than that of `kid`. */
  destroyKeysBefore: call(
    object({ name: string(), kid: string() }), object({ destroyed: count }), { suite: 'signature' },
  ),
  /** `secret/…`, versioned; `cas` is the version that must be current, 0 for none. `only`: no older one is kept. */
  putSecret: call(
    object({ path: string(), value: string(), cas: optional(count), only: optional(boolean()) }),
    object({ version: count }), { suite: 'sealed' },
  ),
  getSecret: call(
    object({ path: string() }), object({ value: string(), version: count }), { concurrent: 16, suite: 'sealed' },
  ),
  /** Shares of the root key, for the owner: once, by the start that made the vault, to the supervisor of its host. */
  takeRecoveryShares: call(object({}), object({ shares: array(string()) }), { suite: 'signature' }),
})

export const VaultSealed = defineError('VaultSealed')
export const VaultDamaged = defineError('VaultDamaged')
export const SecretNotFound = defineError('SecretNotFound')
export const SecretVersionMismatch = defineError('SecretVersionMismatch')
