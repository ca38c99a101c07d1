import { safeParse } from 'valibot'
import { DeviceDocument, deviceDocumentType } from '../actors/records.ts'
import { verifyZoneDocument, type ZoneDocument } from '../actors/zone-document.ts'
import type { Files, Platform, SigningKey } from '../runtime/platform/ports.ts'
import type { Infer } from '../runtime/protocol.ts'
import { signDocument, verifyDocument } from '../runtime/trust/keys.ts'
import { DeviceKeyMissing, FolderDamaged } from './errors.ts'
import { deviceKey, file, IdentityFile, keyFile, type Identity } from './init.ts'
import { parseJson } from './parse-json.ts'

/** Who another host of a cluster on one host is. Like a host of its own, it has a folder with its key and documents. */
export interface NodeIdentity {
  readonly name: string
  /** In the zone's folder. */
  readonly folder: string
  readonly device: SigningKey
  readonly deviceDocument: string
}

/** Documents that the owner has signed for the zone, beside which a node's own is put. */
export interface ZoneDocuments {
  readonly zone: ZoneDocument
  readonly zoneDocument: string
  /** Of the OOD: whom a node trusts from the start. */
  readonly deviceDocument: string
}

type Role = DeviceDocument['role']
const folderOf = (name: string, role: Role): string => `${role === 'ood' ? file.oods : file.nodes}/${name}`

/** node1, node2 and so on, without names that the zone's first host or owner has. */
export const nodeNames = (count: number, taken: Taken): readonly string[] => namesFrom('node', 1, count, taken)
/** ood2, ood3 and so on: the first host is one already. */
export const oodNames = (count: number, taken: Taken): readonly string[] => namesFrom('ood', 2, count, taken)

type Taken = Pick<ZoneDocument, 'host' | 'owner'>
function namesFrom(word: string, first: number, count: number, { host, owner }: Taken): readonly string[] {
  const names: string[] = []
  for (let number = first; names.length < count; number++) {
    const name = `${word}${number}`
    if (name !== host && name !== owner) names.push(name)
  }
  return names
}

/**
 * Makes the key of each and signs its document. The identity is written last: one that is there is whole, and killed
 * anywhere the same again completes it with the keys that are there.
 */
export async function signNodes(
  { platform, files }: { readonly platform: Platform; readonly files: Files },
  names: readonly string[], owner: SigningKey, documents: ZoneDocuments, role: Role = 'node',
): Promise<void> {
  const { keys, random, clock } = platform
  const { zone, zoneDocument, deviceDocument: oodDocument } = documents
  for (const name of names) {
    const folder = folderOf(name, role)
    await files.makeFolder(folder, { mode: 0o700 })
    const make = (): string => keys.generate(random.fork(`device key of ${name}`)).exportPem()
    const device = keys.importPem(await keyFile(files, `${folder}/${file.deviceKey}`, make))
    const document: Infer<typeof DeviceDocument> = {
      zone: zone.zone, name, role, key: device.public.jwk, owner: zone.owner,
      iat: Math.floor(clock.now() / 1000),
    }
    const deviceDocument = signDocument(owner, deviceDocumentType, document)
    const contents = `${JSON.stringify({ zoneDocument, deviceDocument, oodDocument }, null, 2)}\n`
    await files.write(`${folder}/${file.identity}`, new TextEncoder().encode(contents), { mode: 0o600 })
  }
}

/** Of a step 0 that was killed, with other names in its config: what it signed for nodes is of no zone. */
export async function forgetUnfinishedNodes(files: Files): Promise<void> {
  for (const role of ['node', 'ood'] as const) {
    const folder = role === 'ood' ? file.oods : file.nodes
    for (const { name } of await files.list(folder)) await files.remove(`${folderOf(name, role)}/${file.identity}`)
  }
}

/** Undefined where the owner has not signed for it yet. @throws FolderDamaged, DeviceKeyMissing, DeviceKeyMismatch */
export async function openNode(
  { platform, files }: { readonly platform: Platform; readonly files: Files }, name: string,
  { zone, deviceDocument: ood }: Pick<Identity, 'zone' | 'deviceDocument'>, role: Role = 'node',
): Promise<NodeIdentity | undefined> {
  const { keys } = platform
  const folder = folderOf(name, role)
  const path = `${folder}/${file.identity}`
  const bytes = await files.read(path)
  if (!bytes) return undefined
  const damaged = (what: string): Error => new FolderDamaged(`${files.path(path)}: ${what}`, {
    path: files.path(path), next: `Restore it from a backup, or remove it and sign it anew with --owner-key`,
  })
  const parsed = safeParse(IdentityFile, parseJson(bytes))
  if (!parsed.success) throw damaged('it is not an identity file')
  const { zoneDocument, deviceDocument, oodDocument } = parsed.output
  const rule = { typ: deviceDocumentType, schema: DeviceDocument, key: zone.root }
  const of = verifyZoneDocument(keys, zoneDocument)
  if (!of.accepted || of.payload.root.x !== zone.root.x || of.payload.zone !== zone.zone) {
    throw damaged('its zone document is not that of this zone')
  }
  const device = verifyDocument(keys, deviceDocument, rule)
  if (!device.accepted) throw damaged(`the device document does not verify: ${device.denial.reason}`)
  const { name: named, role: as, zone: inZone } = device.payload
  if (named !== name || as !== role || inZone !== zone.zone) throw damaged(`its document is of ${as} ${named}`)
  const theirs = verifyDocument(keys, oodDocument ?? '', rule)
  const ours = verifyDocument(keys, ood, rule)
  if (!theirs.accepted || !ours.accepted || theirs.payload.key.x !== ours.payload.key.x) {
    throw damaged('it names another OOD than the one of this folder')
  }
  const keyPath = `${folder}/${file.deviceKey}`
  const pem = await files.read(keyPath)
  if (!pem) {
    throw new DeviceKeyMissing(`The device key is missing: ${files.path(keyPath)}`, {
      path: files.path(keyPath),
      next: `Restore it from a backup, or remove ${files.path(folder)} and sign the node anew with --owner-key`,
    })
  }
  return { name, folder, device: deviceKey(platform, pem, device.payload.key, files.path(keyPath)), deviceDocument }
}
