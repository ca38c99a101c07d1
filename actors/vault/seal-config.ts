import { toBase64url } from '../../runtime/trust/base64url.ts'
import type { Keys } from '../../runtime/platform/ports.ts'
import { integer, literal, number, object, pipe, string, type Infer } from '../../runtime/protocol.ts'

export const sealConfigPath = 'core/seal-config'

/**
 * The one entry in clear text: what must be known before there is a key. Its presence says that the vault is
 * initialised. The ids tell a wrong key from a damaged entry; they are one-way.
 */
export const SealConfig = object({
  format: literal(1),
  vaultId: string(),
  shares: pipe(number(), integer()),
  threshold: pipe(number(), integer()),
  rootKeyId: string(),
  unsealKeyId: string(),
})
export type SealConfig = Infer<typeof SealConfig>

export function keyId(kind: 'root' | 'unseal', key: Uint8Array, vaultId: string, keys: Keys): string {
  return toBase64url(keys.derive(key, new TextEncoder().encode(vaultId), `zonewright vault ${kind} key id`, 16))
}

export function hasKeyId(kind: 'root' | 'unseal', key: Uint8Array, config: SealConfig, keys: Keys): boolean {
  const encoder = new TextEncoder()
  const expected = kind === 'root' ? config.rootKeyId : config.unsealKeyId
  return keys.equal(encoder.encode(keyId(kind, key, config.vaultId, keys)), encoder.encode(expected))
}
