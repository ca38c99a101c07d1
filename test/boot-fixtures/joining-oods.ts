/** A zone on a real etcd of three members that other OODs may join, with folders of their own. */
import { readFileSync } from 'node:fs'
import { join as path } from 'node:path'
import * as assert from 'uvu/assert'
import { oodRequestsPath } from '../../actors/enrolment/protocol.ts'
import { deviceDocumentType, kv, type DeviceDocument } from '../../actors/records.ts'
import { SystemConfig } from '../../actors/system-config/protocol.ts'
import type { OodRequest } from '../../actors/vault/protocol.ts'
import { joinOod, type JoinedOod, type OodJoinOptions } from '../../boot/join/join-ood.ts'
import { openOodJoining, type OodJoining } from '../../boot/join/ood-folder.ts'
import { file } from '../../boot/init.ts'
import type { UpOptions } from '../../boot/up.ts'
import type { PublicJwk, SigningKey } from '../../runtime/platform/ports.ts'
import { toBase64url } from '../../runtime/trust/base64url.ts'
import { signDocument } from '../../runtime/trust/keys.ts'
import { signToken } from '../../runtime/trust/token.ts'
import { newFolder } from './command-line.ts'
import { joiningZone, platform, type JoiningZone, type Made } from './joining.ts'
import { freeEndpoints, startPemCluster, type PemCluster } from './pem-cluster.ts'
import { pemsIn } from './pems.ts'

export interface OodZone {
  readonly joining: JoiningZone
  readonly cluster: PemCluster
  readonly owner: SigningKey
  /** As `gen join-token --role ood` does. */
  token(host: string, more?: object): Promise<Made>
  /** As `hosts pending` does. */
  pending(): Promise<readonly OodRequest[]>
  /** Passes a document on, as `hosts approve` does. */
  approve(host: string, document: string): Promise<{ readonly status: number; readonly value: unknown }>
  refuse(host: string, device: string): Promise<{ readonly status: number; readonly value: unknown }>
  /** The owner's word for this key. */
  document(host: string, key: PublicJwk, changes?: Partial<DeviceDocument>, signer?: SigningKey): string
  /** By a root token. */
  register(host: string, document: string): Promise<void>
  /** All that an owner does, who finds this device key. */
  accept(host: string, key: PublicJwk): Promise<string>
  /** A folder of a host that joins; what it asks by is there. */
  folder(host: string): Promise<OodJoining & { readonly dir: string }>
  join(made: Made, folder: Pick<OodJoining, 'device' | 'asked'>, changes?: Partial<OodJoinOptions>): Promise<JoinedOod>
  end(): Promise<void>
}

/** @param lines of its config @param options of the first one */
export async function oodZone(lines = '', options: Partial<UpOptions> = {}): Promise<OodZone> {
  const endpoints = await freeEndpoints()
  let cluster: PemCluster | undefined
  const more = `xline_config:\n  endpoints: ${JSON.stringify(endpoints)}\n  prefix: /zones\n${lines}`
  const joining = await joiningZone(more, newFolder(), async (folder, config) => {
    const { error } = await pemsIn(folder, { config })
    if (error) throw error
    cluster = await startPemCluster(folder, endpoints)
  }, options)
  const folder = path(joining.cwd, '.zone')
  const owner = platform.keys.importPem(readFileSync(path(folder, file.ownerKey), 'utf8'))
  const rootToken = (): string => {
    const iat = Math.floor(platform.clock.now() / 1_000)
    return signToken(owner, {
      iss: 'root', sub: 'root', aud: ['system-config'], iat, exp: iat + 120, appid: 'cli', runtime_type: 'user',
      epoch: 0, jti: toBase64url(platform.random.bytes(12)), token_use: 'root',
    })
  }
  const zone: OodZone = {
    joining, cluster: cluster!, owner,
    token: (host, changes = {}) => joining.token(host, { role: 'ood', ...changes }),
    async pending() {
      const { status, value } = await joining.control('GET', oodRequestsPath)
      assert.is(status, 200, JSON.stringify(value))
      return (value as { requests: OodRequest[] }).requests
    },
    approve: (host, document) => joining.control('POST', `${oodRequestsPath}/${host}`, JSON.stringify({ document })),
    refuse: (host, device) => joining.control('DELETE', `${oodRequestsPath}/${host}?device=${device}`),
    document(host, key, changes = {}, signer = owner) {
      const iat = Math.floor(platform.clock.now() / 1_000)
      return signDocument(signer, deviceDocumentType, {
        zone: 'zone.local', name: host, role: 'ood', key, owner: 'owner', iat, ...changes,
      })
    },
    async register(host, document) {
      const actions = { [kv.device(host)]: { action: 'create' as const, value: document } }
      await joining.zone.get(SystemConfig).execTx({ actions }, { token: rootToken() })
    },
    async accept(host, key) {
      const document = zone.document(host, key)
      await zone.register(host, document)
      const { status, value } = await zone.approve(host, document)
      assert.is(status, 200, JSON.stringify(value))
      return document
    },
    async folder(host) {
      const dir = path(newFolder(), 'zone')
      return { ...await openOodJoining(platform, dir, { host }), dir }
    },
    join: (made, { device, asked }, changes = {}) => joinOod({
      ...joining.options(made), device, asked, onWaiting() {}, ...changes,
    }),
    async end() {
      await joining.stop()
      await cluster?.end()
    },
  }
  return zone
}
