import { safeParse } from 'valibot'
import { DeviceDocument, deviceDocumentType } from '../actors/records.ts'
import { verifyZoneDocument, zoneDocumentType, type ZoneDocument } from '../actors/zone-document.ts'
import { AlreadyExists, InvalidArgument } from '../runtime/errors.ts'
import { mayCrash } from '../runtime/fault-points.ts'
import type { Files, Platform, PublicJwk, SigningKey } from '../runtime/platform/ports.ts'
import { object, optional, string, type Infer } from '../runtime/protocol.ts'
import { toBase64url } from '../runtime/trust/base64url.ts'
import { signDocument, verifyDocument } from '../runtime/trust/keys.ts'
import type { ReadConfig, ZoneConfig } from './config.ts'
import {
  DeviceKeyMismatch, DeviceKeyMissing, FolderDamaged, FolderOfAnotherZone, OwnerKeyNeeded, RestoreUnfinished,
} from './errors.ts'
import { forgetUnfinishedNodes, nodeNames, oodNames, signNodes } from './nodes.ts'
import { parseJson } from './parse-json.ts'

/** Names in a zone's folder. */
export const file = {
  lock: 'lock',
  ownerKey: 'owner.key',
  deviceKey: 'device.key',
  unsealKey: 'unseal.key',
  /** The owner-signed zone and device documents; written last, so that its presence says that step 0 is done. */
  identity: 'identity.json',
  /** Written after the boot transaction: this host has booted this zone. */
  booted: 'booted.json',
  recoveryShares: 'recovery-shares',
  stores: 'stores',
  /** What the vault was asked and what it did: a chain of records. */
  audit: 'audit',
  /** Certificates and keys by which this host reaches its etcd. */
  pems: 'pems',
  /** Working folders of the services that are processes. */
  services: 'services',
  /** Structured log, rotated. */
  logs: 'logs',
  /** Folders of the other hosts of a cluster on one host. */
  nodes: 'nodes',
  /** The same of those that run a control plane of the zone. */
  oods: 'oods',
  /** A restore into this folder has begun and is not finished. */
  restoring: 'restoring.json',
  /** How far the stores are on their way into etcd. */
  migration: 'migration.json',
  /** Where the running zone is reached, for commands in another terminal; gone when it stops. */
  endpoint: 'endpoint.json',
  /** Unix sockets of the running zone: for this user alone. */
  run: 'run',
  config: 'zone.yaml',
} as const

/** In `file.run`: where tokens for hosts are made. */
export const ENROLMENT_SOCKET = 'enrolment.sock'

export const IdentityFile = object({
  zoneDocument: string(), deviceDocument: string(),
  /** Of a node: whom it trusts from the start. */
  oodDocument: optional(string()),
  /** Of an OOD that joined: its stores have been in etcd from the start, below this prefix. */
  joined: optional(object({ prefix: string() })),
})

/** Who this host is. The owner key is not part of it. */
export interface Identity {
  /** Name of this host; that of the zone document is of the first one. */
  readonly host: string
  /** Of one that joined a zone which another host had made. */
  readonly joined?: { readonly prefix: string }
  readonly zone: ZoneDocument
  readonly zoneDocument: string
  readonly deviceDocument: string
  readonly device: SigningKey
  readonly unsealKey: string
  /** Step 0 ran now. */
  readonly created: boolean
}

export interface InitOptions {
  readonly platform: Platform
  readonly files: Files
  readonly read: ReadConfig
  /** Encrypts the owner key, or opens it where step 0 has to be finished. */
  readonly ownerPassphrase?: string
  /** Nodes that the zone begins with: step 0 makes their keys and documents as well. */
  readonly nodes: number
  /** OODs beside this one that it begins with. */
  readonly oods?: number
}

/**
 * Step 0: on an empty folder makes the owner key, the device key and the two documents; later only reads them.
 * Killed anywhere, the next run finishes it. The owner key is not loaded once the documents are there.
 * @throws FolderDamaged, FolderOfAnotherZone, DeviceKeyMissing, DeviceKeyMismatch, OwnerKeyNeeded
 */
export async function init(options: InitOptions): Promise<Identity> {
  const { files } = options
  await refuseUnfinished(files)
  const text = await files.read(file.identity)
  if (text) return open(options, text)
  for (const name of [file.booted, file.stores]) {
    if ((await files.mode(name)) === undefined) continue
    throw new FolderDamaged(`The folder has a zone's ${name} but no ${file.identity}: ${files.path('.')}`, {
      path: files.path(file.identity),
      next: `Restore ${file.identity} and ${file.deviceKey} from a backup, or boot in another folder`,
    })
  }
  return create(options)
}

/** @throws RestoreUnfinished */
export async function refuseUnfinished(files: Files): Promise<void> {
  if ((await files.mode(file.restoring)) === undefined) return
  throw new RestoreUnfinished(`A restore into this folder was not finished: ${files.path('.')}`, {
    path: files.path(file.restoring), next: 'Run the same `restore` again: it begins anew and completes',
  })
}

async function create({ platform, files, read, ownerPassphrase, nodes, oods = 0 }: InitOptions): Promise<Identity> {
  const { keys, random, clock } = platform
  const { config } = read
  const owner = await keyFile(files, file.ownerKey, () =>
    keys.generate(random.fork('owner key')).exportPem(ownerPassphrase),
  )
  const device = keys.importPem(
    await keyFile(files, file.deviceKey, () => keys.generate(random.fork('device key')).exportPem()),
  )
  const unsealKey = await keyFile(
    files,
    file.unsealKey,
    () => `${toBase64url(random.fork('unseal key').bytes(32))}\n`,
  )
  const ownerKey = openOwnerKey(() => keys.importPem(owner, ownerPassphrase), files.path(file.ownerKey))
  mayCrash('boot/keys-made')
  const iat = Math.floor(clock.now() / 1000)
  const zone: ZoneDocument = {
    zone: config.zone,
    owner: config.owner,
    root: ownerKey.public.jwk,
    host: config.host,
    epoch: 0,
    iat,
  }
  const document: Infer<typeof DeviceDocument> = {
    zone: config.zone,
    name: config.host,
    role: 'ood',
    key: device.public.jwk,
    owner: config.owner,
    iat,
  }
  const zoneDocument = signDocument(ownerKey, zoneDocumentType, zone)
  const deviceDocument = signDocument(ownerKey, deviceDocumentType, document)
  await forgetUnfinishedNodes(files)
  const documents = { zone, zoneDocument, deviceDocument }
  await signNodes({ platform, files }, nodeNames(nodes, zone), ownerKey, documents)
  await signNodes({ platform, files }, oodNames(oods, zone), ownerKey, documents, 'ood')
  const contents = `${JSON.stringify({ zoneDocument, deviceDocument }, null, 2)}\n`
  await files.create(file.identity, new TextEncoder().encode(contents), { mode: 0o600 })
  mayCrash('boot/identity-written')
  const trimmed = unsealKey.trim()
  return { host: zone.host, zone, zoneDocument, deviceDocument, device, unsealKey: trimmed, created: true }
}

/** The file's text, or what `make` gives, written 0600; of two that race, both use the first. */
export async function keyFile(files: Files, name: string, make: () => string): Promise<string> {
  const found = await files.read(name)
  if (found) return new TextDecoder().decode(found)
  const text = make()
  try {
    await files.create(name, new TextEncoder().encode(text), { mode: 0o600 })
    return text
  } catch (error) {
    const theirs = error instanceof AlreadyExists ? await files.read(name) : undefined
    if (!theirs) throw error
    return new TextDecoder().decode(theirs)
  }
}

export function openOwnerKey(load: () => SigningKey, path: string): SigningKey {
  try {
    return load()
  } catch (error) {
    if (!(error instanceof InvalidArgument)) throw error
    throw new OwnerKeyNeeded(`The owner key cannot be read: ${path}: ${error.message}`, {
      path,
      next: 'Give its passphrase with --owner-passphrase-file',
    })
  }
}

async function open({ platform, files, read }: InitOptions, contents: Uint8Array): Promise<Identity> {
  const { keys } = platform
  const damaged = (what: string): Error =>
    new FolderDamaged(`${files.path(file.identity)}: ${what}`, {
      path: files.path(file.identity),
      next: `Restore ${file.identity} from a backup`,
    })
  const parsed = safeParse(IdentityFile, parseJson(contents))
  if (!parsed.success) throw damaged('it is not an identity file')
  const { zoneDocument, deviceDocument, joined } = parsed.output
  // The zone document carries its own root key: the folder is what says that it is ours
  const zone = verifyZoneDocument(keys, zoneDocument)
  if (!zone.accepted) throw damaged(`the zone document does not verify: ${zone.denial.reason}`)
  const device = verifyDocument(keys, deviceDocument, {
    typ: deviceDocumentType,
    schema: DeviceDocument,
    key: zone.payload.root,
  })
  if (!device.accepted) throw damaged(`the device document does not verify: ${device.denial.reason}`)
  const { name: host, role } = device.payload
  if (device.payload.zone !== zone.payload.zone || (host === zone.payload.host) === (joined !== undefined)) {
    throw damaged('its two documents belong to different zones or hosts')
  }
  if (role !== 'ood') throw damaged(`the device document is for a ${role}`)
  refuseOtherZone(files, read, { ...zone.payload, host })
  const pem = await files.read(file.deviceKey)
  if (!pem) {
    throw new DeviceKeyMissing(`The device key is missing: ${files.path(file.deviceKey)}`, {
      path: files.path(file.deviceKey),
      next: 'Restore it from a backup; without it this host cannot prove who it is',
    })
  }
  const key = deviceKey(platform, pem, device.payload.key, files.path(file.deviceKey))
  const unsealKey = new TextDecoder().decode((await files.read(file.unsealKey)) ?? new Uint8Array()).trim()
  return {
    host, zone: zone.payload, zoneDocument, deviceDocument, device: key, unsealKey, created: false,
    ...(joined ? { joined } : {}),
  }
}

export function deviceKey({ keys }: Platform, pem: Uint8Array, expected: PublicJwk, path: string): SigningKey {
  const mismatch = (what: string): Error =>
    new DeviceKeyMismatch(`${path}: ${what}`, {
      path,
      next: 'Restore the key that belongs to the device document of this folder',
    })
  let key: SigningKey
  try {
    key = keys.importPem(new TextDecoder().decode(pem))
  } catch {
    throw mismatch('it is not a private key')
  }
  if (key.public.jwk.x !== expected.x) throw mismatch('it is not the key of this host’s device document')
  return key
}

function refuseOtherZone(files: Files, { config, stated }: ReadConfig, zone: ZoneDocument): void {
  for (const name of ['zone', 'host', 'owner'] as const) {
    if (!stated.has(name) || config[name] === zone[name]) continue
    throw new FolderOfAnotherZone(
      `The folder belongs to ${name} ${zone[name]}, but ${name} ${config[name]} was asked for: ${files.path('.')}`,
      {
        path: files.path('.'),
        next: `Use another --dir, or say ${name}: ${zone[name]}`,
      },
    )
  }
}

/** What the zone runs by: the folder's identity, and the rest of the file. */
export const configOf = ({ host, zone: { zone, owner } }: Identity, { config }: ReadConfig): ZoneConfig =>
  ({ ...config, zone, host, owner })
