import { VaultSealed } from '../../actors/vault/protocol.ts'
import { lastingAuthority, openExtract, type Opened } from '../../actors/vault/recovery.ts'
import { InvalidArgument } from '../../runtime/errors.ts'
import type { Files, Platform } from '../../runtime/platform/ports.ts'
import { toBase64url } from '../../runtime/trust/base64url.ts'
import { readConfig, type ReadConfig, type ZoneConfig } from '../config.ts'
import { FolderDamaged, PemsMissing } from '../errors.ts'
import { configOf, file, init, type Identity } from '../init.ts'
import { holdCertificate, type Held } from './certificates.ts'
import { etcdOf } from './etcd-config.ts'
import { endpointOf, memberNames, pems, type Endpoint } from './names.ts'
import { putFile } from './put.ts'
import { rememberUnrecorded } from './unrecorded.ts'
import { wantedCertificates, type WantedFile } from './wanted.ts'

export interface RecoverOptions {
  readonly platform: Platform
  readonly folder: string
  readonly config: { readonly path: string; readonly text: string }
  /** Recovery shares, where the unseal key of the folder is lost. */
  readonly shares?: readonly string[]
  /** Also what is good still. */
  readonly renew?: boolean
  readonly onProgress: (progress: RecoverProgress) => void
}

export interface RecoverProgress {
  readonly wanted: WantedFile
  readonly held: Held
  readonly done: number
  readonly of: number
}

export interface Recovered {
  readonly config: ZoneConfig
  readonly files: Files
  readonly certificates: readonly { readonly wanted: WantedFile; readonly held: Held }[]
  /** The CA's own certificate had ended, or would have before what it signs now. */
  readonly authorityRenewed: boolean
  readonly endpoints: readonly Endpoint[]
}

/**
 * New certificates for etcd and for who connects to it, where etcd cannot be reached without them, by the CA that lies
 * sealed beside the zone's keys. The vault takes them into its inventory at its next start. Killed anywhere, the same
 * again completes it.
 * @throws ConfigInvalid, FolderInUse, FolderDamaged, PemsMissing, VaultSealed, VaultDamaged
 */
export async function recoverEtcd(options: RecoverOptions): Promise<Recovered> {
  const { platform, config: { text, path } } = options
  const read = readConfig(text, path)
  etcdOf(read.config, path)
  const files = await platform.host.openFolder(options.folder)
  const unlock = await files.lock(file.lock)
  try {
    return await recover(options, files, read)
  } finally {
    await unlock()
  }
}

async function recover(options: RecoverOptions, files: Files, read: ReadConfig): Promise<Recovered> {
  const { platform, renew = false, onProgress, config: { path } } = options
  const identity = await zoneIn(platform, files, read)
  const config = configOf(identity, read)
  const opened = await openSealed(options, files, identity)
  const { role: { ttl } } = await opened.pki.roles.read('member')
  const { roots, renewed } = await lastingAuthority(opened.pki, ttl * 1_000)
  if (renewed !== undefined) {
    await rememberUnrecorded(files, { role: 'member', pem: renewed })
    await putFile(files, pems.etcdSealed, await opened.sealed(), 0o600)
  }
  await putFile(files, pems.etcdAuthority, roots.join(''), 0o644)
  const vault: Parameters<typeof holdCertificate>[0]['vault'] = {
    async signCertificate(asked) {
      const issued = await opened.sign(asked)
      await rememberUnrecorded(files, { role: asked.role, pem: issued.certificate })
      return issued
    },
  }
  const wanted = wantedCertificates(config).filter(({ mount }) => mount === 'pki-etcd')
  const certificates: Recovered['certificates'][number][] = []
  for (const each of wanted) {
    if (each.member) {
      const names = memberNames(each.member)
      await files.makeFolder(names.folder, { mode: 0o700 })
      await putFile(files, names.authority, roots.join(''), 0o644)
    }
    const held = await holdCertificate({ platform, files, vault, roots, renew }, each)
    certificates.push({ wanted: each, held })
    onProgress({ wanted: each, held, done: certificates.length, of: wanted.length })
  }
  return {
    config, files, certificates, authorityRenewed: renewed !== undefined,
    endpoints: etcdOf(config, path).endpoints.map(endpointOf),
  }
}

/** Only a folder that has a zone: here nothing is begun. @throws FolderDamaged, and what `init` throws */
async function zoneIn(platform: Platform, files: Files, read: ReadConfig): Promise<Identity> {
  if ((await files.mode(file.identity)) !== undefined) return init({ platform, files, read, nodes: 0 })
  throw new FolderDamaged(`There is no zone in this folder: ${files.path('.')}`, {
    path: files.path(file.identity), next: 'Give the folder of the zone with --dir, or restore it from a backup',
  })
}

/** @throws PemsMissing, FolderDamaged, VaultSealed, VaultDamaged */
async function openSealed(
  { platform: { keys, random, clock }, shares }: RecoverOptions, files: Files, identity: Identity,
): Promise<Opened> {
  const path = files.path(pems.etcdSealed)
  const bytes = await files.read(pems.etcdSealed)
  if (!bytes) {
    throw new PemsMissing(`The sealed CA of etcd is missing: ${path}`, {
      path, next: 'Restore it from a backup; without it a new etcd needs a new zone',
    })
  }
  // With shares the vault takes another unseal key; it does so in memory, and nobody keeps it
  const secrets = shares === undefined ? { 'unseal-key': identity.unsealKey }
    : { 'recovery-shares': shares.join('\n'), 'unseal-key': toBase64url(random.fork('no unseal key').bytes(32)) }
  try {
    const { zone } = identity.zone
    return await openExtract(new TextDecoder().decode(bytes), secrets, { zone, keys, random, clock })
  } catch (error) {
    if (error instanceof VaultSealed) {
      throw new VaultSealed(error.message, {
        next: shares === undefined ? `Put ${file.unsealKey} back, or give three recovery shares with --shares`
          : 'Give three different shares of this vault with --shares, each in a file of its own',
      })
    }
    if (!(error instanceof InvalidArgument)) throw error
    throw new FolderDamaged(`${path}: ${error.message}`, { path, next: 'Restore it from a backup' })
  }
}
