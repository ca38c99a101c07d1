import { kv, readRecord } from '../../actors/records.ts'
import { BootConfig, SystemConfig, ZoneStoreMismatch } from '../../actors/system-config/protocol.ts'
import { issuers, kernelActors } from '../../actors/trust-matrix.ts'
import { Vault } from '../../actors/vault/protocol.ts'
import { verifyZoneDocument, zoneDocumentType, type ZoneDocument } from '../../actors/zone-document.ts'
import type { Platform, SigningKey } from '../../runtime/platform/ports.ts'
import { folderOf } from '../../runtime/store/location.ts'
import { Supervisor } from '../../runtime/supervisor.ts'
import { createTrace } from '../../runtime/trace.ts'
import { toBase64url } from '../../runtime/trust/base64url.ts'
import { signDocument } from '../../runtime/trust/keys.ts'
import { signToken, tokenLifetimeSeconds } from '../../runtime/trust/token.ts'
import { auditBeside, catalogue } from '../catalogue.ts'
import { defaultConfig } from '../config.ts'
import { parseJson } from '../parse-json.ts'
import type { Booted, Documents } from './zone.ts'

export interface RaiseOptions {
  readonly platform: Platform
  /** Folder of the zone's stores; nobody else uses it. */
  readonly stores: string
  readonly documents: Documents
  readonly booted: Booted
  readonly owner: SigningKey
  readonly device: SigningKey
  readonly unsealKey: string
  /** The new one. */
  readonly epoch: number
}

/** The zone document of another epoch. */
export function signZoneDocument(owner: SigningKey, zone: ZoneDocument, epoch: number, nowMs: number): string {
  return signDocument(owner, zoneDocumentType, { ...zone, epoch, iat: Math.floor(nowMs / 1000) })
}

/** An identity file, with the new zone document where it had one of this zone. */
export function withZoneDocument(
  { keys }: Platform, owner: SigningKey, bytes: Uint8Array, zoneDocument: string,
): string {
  const value = parseJson(bytes) as Record<string, unknown> | null | undefined
  const old = typeof value?.['zoneDocument'] === 'string' ? verifyZoneDocument(keys, value['zoneDocument']) : undefined
  const isOurs = old?.accepted && old.kid === owner.public.kid
  return isOurs ? `${JSON.stringify({ ...value, zoneDocument }, null, 2)}\n` : new TextDecoder().decode(bytes)
}

/**
 * Changes the epoch of `boot/config` as any root action does: by a root token that is good once, compared with what was
 * read, at the real system-config of this host. The vault is started first, since a zone without it would not boot.
 * @throws VaultSealed, StoreDamaged, StartFailed
 */
export async function raiseEpoch(options: RaiseOptions): Promise<void> {
  const { platform, stores, documents, booted, owner, device, unsealKey } = options
  const { zone, deviceDocument } = documents
  const host = zone.host
  const supervisor = new Supervisor({
    platform, zone: zone.zone, host, device, stores: folderOf(stores), trace: createTrace(), kernelActors,
    devices: [{ host, role: 'ood', jwk: device.public.jwk }],
  }, catalogue(stores, { ...defaultConfig, zone: zone.zone, host, owner: zone.owner })
    .filter(({ protocol }) => protocol === Vault || protocol === SystemConfig))
  try {
    // By this thread: the worker may write in it, and not make it
    await platform.host.openFolder(auditBeside(stores))
    await supervisor.load()
    const env = { ZONEWRIGHT_BOOTED: '1' }
    await supervisor.start('vault', { env, secrets: { 'unseal-key': unsealKey } })
    // Of the epoch that boot/config has: a zone whose two differ does not start
    const zoneDocument = signZoneDocument(owner, zone, booted.config.epoch, platform.clock.now())
    await supervisor.start('system-config', {
      env: { ...env, ZONEWRIGHT_ALONE: '1', BUCKYOS_THIS_DEVICE: deviceDocument, BUCKYOS_ZONE_DOC: zoneDocument },
    })
    await change(supervisor, options)
  } finally {
    await supervisor.stopAll()
  }
}

async function change(supervisor: Supervisor, { platform, booted, owner, epoch }: RaiseOptions): Promise<void> {
  const config = supervisor.get(SystemConfig)
  const key = kv.bootConfig
  const token = rootToken(platform, owner, booted.config.epoch)
  const item = await config.get({ key }, { token })
  const found = item && readRecord(BootConfig, key, item.value)
  if (!item || found?.epoch !== booted.config.epoch) {
    throw new ZoneStoreMismatch(`boot/config is not the one that was read before: epoch ${found?.epoch ?? 'unknown'}`)
  }
  const value = JSON.stringify({ ...found, epoch })
  await config.execTx({
    actions: { [key]: { action: 'update', value } }, mainKey: { key, revision: item.revision },
  }, { token })
}

function rootToken({ clock, random }: Platform, owner: SigningKey, epoch: number): string {
  const iat = Math.floor(clock.now() / 1000)
  return signToken(owner, {
    iss: issuers.root, sub: issuers.root, aud: ['system-config'], iat, exp: iat + tokenLifetimeSeconds.root,
    jti: toBase64url(random.fork('root token').bytes(16)), token_use: 'root', appid: 'cli', runtime_type: 'user', epoch,
  })
}
