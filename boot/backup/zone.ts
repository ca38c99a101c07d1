import { safeParse } from 'valibot'
import { DeviceDocument, deviceDocumentType, kv, readRecord } from '../../actors/records.ts'
import { BootConfig, ZoneStoreMismatch } from '../../actors/system-config/protocol.ts'
import { openRecords } from '../../actors/system-config/records.ts'
import { openVault } from '../../actors/vault/init.ts'
import { verifyZoneDocument, type ZoneDocument } from '../../actors/zone-document.ts'
import type { Platform, SigningKey } from '../../runtime/platform/ports.ts'
import { createMemoryStore } from '../../runtime/store/memory.ts'
import type { StoreState } from '../../runtime/store/state.ts'
import type { Store } from '../../runtime/store/store.ts'
import { thumbprint, verifyDocument } from '../../runtime/trust/keys.ts'
import { assertSameStore, bootedMarker } from '../booted.ts'
import { DeviceKeyMismatch, DeviceKeyMissing, FolderDamaged } from '../errors.ts'
import { file, IdentityFile } from '../init.ts'
import { parseJson } from '../parse-json.ts'

/** Stores that are looked into; the others are only opened. */
export const configStore = `${file.stores}/system-config`
export const vaultStore = `${file.stores}/vault`

export interface Documents {
  readonly zone: ZoneDocument
  readonly zoneDocument: string
  readonly device: DeviceDocument
  readonly deviceDocument: string
}

/** The key that the device document names. @throws DeviceKeyMissing, DeviceKeyMismatch */
export function deviceKeyIn({ keys }: Platform, device: DeviceDocument, pem: Uint8Array | undefined): SigningKey {
  const next = `Put back the ${file.deviceKey} of ${device.name}: without it this host can neither boot nor sign`
  if (!pem) throw new DeviceKeyMissing(`The device key of ${device.name} is missing`, { next })
  let key: SigningKey
  try {
    key = keys.importPem(new TextDecoder().decode(pem))
  } catch {
    throw new DeviceKeyMismatch(`The device key of ${device.name} is not a private key`, { next })
  }
  if (key.public.jwk.x === device.key.x) return key
  throw new DeviceKeyMismatch(`${file.deviceKey} is not the key of the device document of ${device.name}`, { next })
}

/** `boot/config` as the store has it. */
export interface Booted {
  readonly store: { readonly id: string; readonly revision: number }
  readonly config: BootConfig
}

/** @throws FolderDamaged when the documents do not verify, or do not belong together */
export function readDocuments({ keys }: Platform, bytes: Uint8Array | undefined): Documents {
  const damaged = (what: string): Error =>
    new FolderDamaged(`${file.identity}: ${what}`, { next: `Put back the ${file.identity} of this zone` })
  const parsed = safeParse(IdentityFile, bytes && parseJson(bytes))
  if (!parsed.success) throw damaged('it is not an identity file')
  const { zoneDocument, deviceDocument } = parsed.output
  const zone = verifyZoneDocument(keys, zoneDocument)
  if (!zone.accepted) throw damaged(`the zone document does not verify: ${zone.denial.reason}`)
  const rule = { typ: deviceDocumentType, schema: DeviceDocument, key: zone.payload.root }
  const device = verifyDocument(keys, deviceDocument, rule)
  if (!device.accepted) throw damaged(`the device document does not verify: ${device.denial.reason}`)
  if (device.payload.zone !== zone.payload.zone) throw damaged('its two documents belong to different zones')
  return { zone: zone.payload, zoneDocument, device: device.payload, deviceDocument }
}

/** @throws RecordInvalid, ZoneStoreMismatch */
export async function readBooted(platform: Platform, state: StoreState): Promise<Booted> {
  const { id, revision } = state
  const record = await reading(platform, state, (store) => openRecords(store).get(kv.bootConfig))
  if (!record) throw new ZoneStoreMismatch('The store of system-config has no boot/config')
  return { store: { id, revision }, config: readRecord(BootConfig, kv.bootConfig, record.value) }
}

/** Everything that says which zone this is says the same. @throws ZoneStoreMismatch, FolderDamaged */
export async function assertOneZone(
  { keys }: Platform, documents: Documents, booted: Booted, marker: Uint8Array | undefined,
): Promise<void> {
  const { zone, device } = documents
  const { config, store } = booted
  if (device.name !== zone.host) throw new FolderDamaged('The documents of identity.json are of different hosts')
  if (config.zone !== zone.zone) throw new ZoneStoreMismatch(`The stores are of another zone: ${config.zone}`)
  if (thumbprint(keys, config.root) !== thumbprint(keys, zone.root)) {
    throw new ZoneStoreMismatch('The stores are of a zone of this name that has another owner key')
  }
  const found = await bootedMarker({ read: async () => marker, path: (name) => name }, zone.zone)
  if (!found) throw new FolderDamaged(`There is no ${file.booted}: this zone has not booted`)
  assertSameStore(found, store, configStore)
}

/** Opens the vault in memory, as its actor would. @throws VaultSealed, VaultDamaged */
export async function assertUnseals(platform: Platform, state: StoreState, unsealKey: string): Promise<void> {
  const { keys, random, clock } = platform
  await reading(platform, state, async (store) => {
    await openVault({ store, keys, random, clock }, { 'unseal-key': unsealKey }, { booted: true })
  })
}

/** Nothing may write: what it would change is a copy's, and lost. */
async function reading<T>({ clock, random }: Platform, state: StoreState, run: (store: Store) => Promise<T>) {
  const persist = async (): Promise<never> => {
    throw new ZoneStoreMismatch('A store of a backup is only read')
  }
  const store = createMemoryStore({ clock, random, state, persist })
  try {
    return await run(store)
  } finally {
    await store.close()
  }
}
