import { PublicKey } from '../../actors/system-config/protocol.ts'
import type { Files, Platform, PublicJwk } from '../../runtime/platform/ports.ts'
import { integer, number, object, pipe, string, type Infer } from '../../runtime/protocol.ts'
import { signDocument, verifyDocument } from '../../runtime/trust/keys.ts'
import { OwnerKeyNeeded } from '../errors.ts'
import type { GivenOwnerKey } from '../grow.ts'
import { file, openOwnerKey, type Identity } from '../init.ts'
import { pems } from './names.ts'

/** `typ` of the compact JWS that holds it. */
export const anchorDocumentType = 'zw-anchor+jws'

/** The owner's word for the key that signs the zone's set of roots, and outlives each of them. */
export const AnchorDocument = object({
  zone: string(),
  /** Of the vault's key `anchor`. */
  key: PublicKey,
  iat: pipe(number(), integer()),
})
type AnchorDocument = Infer<typeof AnchorDocument>

/** Told before the owner key is loaded. */
export interface AnchorSigned {
  readonly type: 'anchor-signs'
  /** Where the owner key lies. */
  readonly path: string
}

interface AnchorOptions {
  readonly platform: Platform
  readonly ownerKey?: GivenOwnerKey
  readonly ownerPassphrase?: string
  readonly onProgress: (signed: AnchorSigned) => void
}

/**
 * Has the owner key sign for the anchor, unless it has: the only thing that `gen pems` loads it for.
 * @returns whether it signed now @throws OwnerKeyNeeded
 */
export async function certifyAnchor(
  options: AnchorOptions, files: Files, identity: Identity, key: PublicJwk,
): Promise<boolean> {
  const { platform: { keys, clock }, ownerKey, ownerPassphrase, onProgress } = options
  const { zone } = identity
  if (await isCertified(options.platform, files, identity, key)) return false
  const { path, pem } = ownerKey ?? await ownerKeyOf(files, zone.zone)
  onProgress({ type: 'anchor-signs', path })
  const owner = openOwnerKey(() => keys.importPem(pem, ownerPassphrase), path)
  if (owner.public.jwk.x !== zone.root.x) {
    throw new OwnerKeyNeeded(`This is not the owner key of ${zone.zone}: ${path}`, {
      path, next: 'Give the owner.key that step 0 of this zone made',
    })
  }
  const document: AnchorDocument = { zone: zone.zone, key, iat: Math.floor(clock.now() / 1000) }
  const text = `${signDocument(owner, anchorDocumentType, document)}\n`
  await files.write(pems.anchor, new TextEncoder().encode(text), { mode: 0o644 })
  return true
}

/** Whether the file is the owner's word for this very key. */
async function isCertified(
  { keys }: Platform, files: Files, { zone }: Identity, key: PublicJwk,
): Promise<boolean> {
  const bytes = await files.read(pems.anchor)
  if (!bytes) return false
  const text = new TextDecoder().decode(bytes).trim()
  const verdict = verifyDocument(keys, text, { typ: anchorDocumentType, schema: AnchorDocument, key: zone.root })
  return verdict.accepted && verdict.payload.zone === zone.zone && verdict.payload.key.x === key.x
}

async function ownerKeyOf(files: Files, zone: string): Promise<GivenOwnerKey> {
  const path = files.path(file.ownerKey)
  const bytes = await files.read(file.ownerKey)
  if (bytes) return { path, pem: new TextDecoder().decode(bytes) }
  throw new OwnerKeyNeeded(`The owner has to sign for the anchor of ${zone}, and the owner key is not here: ${path}`, {
    path, next: 'Give it with --owner-key, from where it is kept',
  })
}
