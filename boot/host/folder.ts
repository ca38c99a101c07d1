import { safeParse } from 'valibot'
import { SERVER } from '../../actors/host-identity.ts'
import { readDeviceBy } from '../../actors/read-device.ts'
import { DeviceDocument, EnrolledRole, Name } from '../../actors/records.ts'
import { PublicKey } from '../../actors/system-config/protocol.ts'
import { verifyZoneDocument, type ZoneDocument } from '../../actors/zone-document.ts'
import { limits } from '../../runtime/limits.ts'
import type { Files, Platform, SigningKey } from '../../runtime/platform/ports.ts'
import {
  array, integer, literal, maxLength, minLength, minValue, number, object, pipe, regex, string, type Infer,
} from '../../runtime/protocol.ts'
import { decodePem } from '../../runtime/x509/pem.ts'
import { DeviceKeyMissing, FolderDamaged, FolderOfAnotherZone, NotJoined } from '../errors.ts'
import { deviceKey, file } from '../init.ts'
import { parseJson } from '../parse-json.ts'

const text = pipe(string(), maxLength(limits.document))

/** `host.json`: what a host that joined knows of its zone. Nothing of it is secret. */
export const HostFile = object({
  format: literal(1),
  zone: string(), host: Name, role: EnrolledRole,
  /** Where the control plane is reached. */
  servers: pipe(array(pipe(string(), regex(SERVER))), minLength(1), maxLength(limits.uplinkServers)),
  /** PEM: what the control plane's certificates end at, as last known. */
  roots: pipe(array(text), minLength(1), maxLength(limits.hostRoots)),
  /** Keys that sign the next set of roots, and its least version. */
  anchors: pipe(array(PublicKey), maxLength(limits.hostRoots)),
  rootsVersion: pipe(number(), integer(), minValue(0)),
  zoneDocument: text,
  /** Of this host: signed by the owner key, or by enrolment for it. */
  deviceDocument: text,
  /** Of the control plane's hosts: whom this host trusts from the start. */
  oodDocuments: pipe(array(text), minLength(1), maxLength(limits.uplinkServers)),
})
export type HostFile = Infer<typeof HostFile>

export const HOST_FILE = 'host.json'

/** A host that joined, from its folder. */
export interface HostIdentity {
  readonly file: HostFile
  readonly zone: ZoneDocument
  readonly device: SigningKey
  readonly document: DeviceDocument
  readonly oods: readonly DeviceDocument[]
}

/** Written last: one that is there is whole. */
export const writeHostFile = (files: Files, contents: HostFile): Promise<void> =>
  files.write(HOST_FILE, new TextEncoder().encode(`${JSON.stringify(contents, null, 2)}\n`), { mode: 0o600 })

/** @throws FolderOfAnotherZone in the folder of a zone's first host */
export async function refuseZoneFolder(files: Files): Promise<void> {
  if ((await files.mode(file.identity)) === undefined) return
  throw new FolderOfAnotherZone(`In this folder a zone runs already: ${files.path('.')}`, {
    path: files.path(file.identity), next: 'Give a folder of its own to the host that joins: --dir FOLDER',
  })
}

/**
 * Each document is checked as if it came from anybody: by the root key of the zone document, whose zone the file names.
 * @throws NotJoined, FolderDamaged, DeviceKeyMissing, DeviceKeyMismatch
 */
export async function openHost(platform: Platform, files: Files): Promise<HostIdentity> {
  const bytes = await files.read(HOST_FILE)
  if (!bytes) {
    throw new NotJoined(`No host has joined from this folder: ${files.path('.')}`, {
      path: files.path(HOST_FILE), next: 'Run `join` with the two files of gen join-token, or give another --dir',
    })
  }
  const checked = checkHost(platform, bytes)
  if (typeof checked === 'string') {
    throw new FolderDamaged(`${files.path(HOST_FILE)}: ${checked}`, {
      path: files.path(HOST_FILE), next: 'Restore it from a backup, or join anew',
    })
  }
  const pem = await files.read(file.deviceKey)
  if (!pem) {
    throw new DeviceKeyMissing(`The device key is missing: ${files.path(file.deviceKey)}`, {
      path: files.path(file.deviceKey), next: 'Restore it from a backup, or join anew as a host of another name',
    })
  }
  const device = deviceKey(platform, pem, checked.document.key, files.path(file.deviceKey))
  return { ...checked, device }
}

/** What is wrong with it, in words; or what it says. */
function checkHost({ keys }: Platform, bytes: Uint8Array): Omit<HostIdentity, 'device'> | string {
  const parsed = safeParse(HostFile, parseJson(bytes))
  if (!parsed.success) {
    const [issue] = parsed.issues
    const at = (issue.path ?? []).map(({ key }: { key?: unknown }) => String(key)).join('.')
    return `it is not the file of a host (${at || 'no object'})`
  }
  const contents = parsed.output
  const zone = verifyZoneDocument(keys, contents.zoneDocument)
  if (!zone.accepted) return `the zone document does not verify: ${zone.denial.reason}`
  if (zone.payload.zone !== contents.zone) return `the zone document is of ${zone.payload.zone}`
  const read = readDeviceBy(keys, zone.payload)
  const oods = contents.oodDocuments.map(read)
  if (!oods.every((one) => one?.role === 'ood')) return 'a document of a control plane host does not verify'
  const document = read(contents.deviceDocument)
  if (!document) return 'the document of this host does not verify'
  if (document.name !== contents.host || document.role !== contents.role) {
    return `the document is of ${document.role} ${document.name}`
  }
  try {
    for (const root of contents.roots) decodePem(root, 'CERTIFICATE')
  } catch {
    return 'a root certificate cannot be read'
  }
  return { file: contents, zone: zone.payload, document, oods: oods as DeviceDocument[] }
}
