import { INIT_SEQUENCE, initStep } from '../../actors/init-steps.ts'
import { Vault } from '../../actors/vault/protocol.ts'
import type { Migration } from '../../runtime/migration.ts'
import type { Files, Platform } from '../../runtime/platform/ports.ts'
import type { StoreLocation } from '../../runtime/store/location.ts'
import type { Supervisor } from '../../runtime/supervisor.ts'
import type { LogEvent, MoveEvent, StepEvent, Trace } from '../../runtime/trace.ts'
import { serialText } from '../../runtime/x509/serial.ts'
import type { ZoneConfig } from '../config.ts'
import { StoresInEtcd } from '../errors.ts'
import type { GivenOwnerKey } from '../grow.ts'
import { file, type Identity } from '../init.ts'
import { readJournal } from '../migrate/journal.ts'
import { moveStores, type EtcdLocation } from '../migrate/move-stores.ts'
import type { StepRow } from '../render.ts'
import { readCredentials, type Credentials } from './credentials.ts'
import { removeDangerous, type Dangerous } from './dangerous.ts'
import { pems } from './names.ts'
import { putFile } from './put.ts'
import { reachEtcd, type Reached, type Shown } from './reach.ts'
import { Initialisation } from './remembered.ts'
import { targetOf } from './target.ts'
import { EtcdRenewal } from './renewal.ts'
import { handOver } from './unrecorded.ts'

export type EtcdProgress =
  /** Marked by an earlier command. */
  | { readonly type: 'initialisation'; readonly rows: readonly StepRow[] }
  | { readonly type: 'etcd-waits'; readonly detail: string }
  | { readonly type: 'etcd-reached'; readonly answered: number; readonly absent: Reached['absent'] }
  | { readonly type: 'moving'; readonly migration: Migration }
  /** `before`: an earlier start has moved them. */
  | { readonly type: 'moved'; readonly migration: Migration; readonly before: boolean }
  | ({ readonly type: 'dangerous' } & Dangerous)

export interface EtcdStartOptions {
  readonly platform: Platform
  readonly files: Files
  readonly identity: Identity
  readonly config: ZoneConfig
  /** For messages. */
  readonly configPath: string
  readonly ownerKey: GivenOwnerKey | undefined
  readonly trace: Trace
  readonly onProgress: (progress: EtcdProgress) => void
}

/** Steps 5 to 14 of the documented initialisation, around the start of the control plane; and what goes on after it. */
export class EtcdStart {
  readonly #options: EtcdStartOptions
  readonly #initialisation: Initialisation
  readonly #before: Migration | undefined
  #credentials: Credentials
  #reached: Reached | undefined
  #isMoved: boolean
  #renewal: EtcdRenewal | undefined

  private constructor(
    options: EtcdStartOptions, initialisation: Initialisation, credentials: Credentials, before: Migration | undefined,
  ) {
    this.#options = options
    this.#initialisation = initialisation
    this.#credentials = credentials
    this.#before = before
    this.#isMoved = before?.state === 'done' || options.identity.joined !== undefined
  }

  /** @throws PemsMissing, EtcdCertificateExpired, FolderDamaged, StoresInEtcd, and what `reachEtcd` does */
  static async open(options: EtcdStartOptions): Promise<EtcdStart> {
    const { platform, files, config, configPath, trace, onProgress } = options
    const initialisation = await Initialisation.open(files, platform.clock.now())
    onProgress({ type: 'initialisation', rows: initialisation.rows() })
    initialisation.follow(trace)
    try {
      const credentials = await readCredentials(platform, files, config)
      const start = new EtcdStart(options, initialisation, credentials, await readJournal(files))
      start.#refuseOtherPlace()
      start.#mark('ood', initStep.startAsked, {
        config: configPath, endpoints: config.etcd?.endpoints.length ?? 0, folder: files.path('.'),
      })
      // Where a store may lie there already it cannot be opened without
      if (start.#before || options.identity.joined) await start.#reach()
      return start
    } catch (error) {
      initialisation.close()
      throw error
    }
  }

  /** Where the stores lie now: asked at each start of the host. */
  get stores(): StoreLocation {
    const path = this.#options.files.path(file.stores)
    return this.#isMoved ? this.target : { type: 'folder', path, moving: this.target }
  }

  get target(): EtcdLocation {
    return targetOf(this.#options.config, this.#credentials.etcd)
  }

  /** The vault is open, and nothing else: what lies in the folder moves now. @throws what `moveStores` does */
  async vaultServes(supervisor: Supervisor): Promise<void> {
    const { files } = this.#options
    await this.#reach()
    await this.#move(supervisor)
    const vault = supervisor.get(Vault)
    await handOver(files, vault)
    await putFile(files, pems.etcdSealed, (await vault.sealAuthority({ mount: 'pki-etcd' })).sealed, 0o600)
  }

  /** Everything serves. */
  async ready(
    supervisor: () => Supervisor, address: string, bootMs: number, others: () => readonly Supervisor[],
  ): Promise<void> {
    const { platform, files, config, ownerKey, onProgress } = this.#options
    const serving = supervisor().list().filter(({ state }) => state === 'serving').length
    this.#mark('ood', initStep.servicesStarted, { actors: serving })
    const { keys } = platform
    const shown = this.#reached?.shown ?? new Map<string, Shown>()
    const dangerous = await removeDangerous({ files, keys, config, shown, ownerKey })
    onProgress({ type: 'dangerous', ...dangerous })
    if (dangerous.memberKeys.length > 0) {
      this.#log('etcd', 'warn', 'Keys of members of etcd were removed from this folder: a member that reads them here '
        + 'needs its own copy', { removed: dangerous.memberKeys.join(', ') })
    }
    this.#mark('admin', initStep.ready, { address, bootMs: Math.round(bootMs) })
    await this.#initialisation.keep()
    this.#renewal = new EtcdRenewal({
      platform, files, config, vault: () => supervisor().get(Vault),
      swap: async (etcd) => {
        this.#credentials = { ...this.#credentials, etcd }
        await Promise.all([supervisor(), ...others()].map((each) => each.renewCredentials(etcd)))
      },
      log: (level, message, fields) => this.#log('etcd-renewal', level, message, fields),
    })
  }

  async close(): Promise<void> {
    this.#initialisation.close()
    await this.#renewal?.close()
  }

  rows(): readonly StepRow[] {
    return this.#initialisation.rows()
  }

  #refuseOtherPlace(): void {
    const { files, configPath, identity: { joined } } = this.#options
    const there = this.#before ?? joined
    if (!there || there.prefix === this.target.prefix) return
    throw new StoresInEtcd(
      `The stores of this folder lie in etcd under ${there.prefix}, and ${configPath} names `
        + this.target.prefix,
      {
        path: files.path(file.migration), prefix: there.prefix,
        next: `Name the same zone and xline_config.prefix as before: together they were ${there.prefix}`,
      },
    )
  }

  async #reach(): Promise<void> {
    if (this.#reached) return
    const { platform, config, onProgress } = this.#options
    const endpoints = config.etcd?.endpoints ?? []
    const { etcd, serial } = this.#credentials
    const reached = this.#reached = await reachEtcd({
      platform, endpoints, credentials: etcd,
      onWait: ({ detail }) => onProgress({ type: 'etcd-waits', detail }),
    })
    const { clusterId, memberId, revision, answered, absent } = reached
    this.#mark('etcd', initStep.etcdAsked, { cluster: clusterId, member: memberId, client: serialText(serial) })
    this.#mark('ood', initStep.etcdAnswered, { answered: answered.length, of: endpoints.length, revision })
    onProgress({ type: 'etcd-reached', answered: answered.length, absent })
  }

  async #move(supervisor: Supervisor): Promise<void> {
    const { platform, files, identity: { host }, trace, onProgress } = this.#options
    if (this.#before && this.#isMoved) return onProgress({ type: 'moved', migration: this.#before, before: true })
    if (this.#isMoved) return
    let isAsked = false
    const asked = ({ actor, total }: MoveEvent): void => {
      if (actor !== 'vault' || isAsked) return
      isAsked = true
      this.#mark('vault', initStep.moveAsked, { entries: total })
    }
    trace.on('move', asked)
    try {
      const migration = await moveStores({
        platform, files, host, to: this.target, supervisor: () => supervisor, trace,
        onProgress: (now) => onProgress({ type: 'moving', migration: now }),
      })
      this.#isMoved = true
      this.#markMoved(migration)
      onProgress({ type: 'moved', migration, before: migration.stores.every(({ before }) => before) })
    } finally {
      trace.off('move', asked)
    }
  }

  #markMoved({ stores, prefix }: Migration): void {
    const sum = (of: (store: Migration['stores'][number]) => number): number =>
      stores.reduce((total, store) => total + of(store), 0)
    const vault = stores.find(({ name }) => name === 'vault')
    this.#mark('etcd', initStep.entriesWritten, {
      stores: stores.length, entries: sum(({ entries }) => entries), bytes: sum(({ bytes }) => bytes),
    })
    this.#mark('vault', initStep.entriesVerified, {
      verified: sum(({ verified }) => verified), digest: vault?.digest ?? '',
    })
    this.#mark('ood', initStep.moveConfirmed, { prefix, revision: vault?.revision ?? 0 })
  }

  #log(actor: string, level: LogEvent['level'], message: string, fields: LogEvent['fields']): void {
    const { platform, trace, identity } = this.#options
    trace.emit('log', { host: identity.host, actor, at: platform.clock.now(), level, message, fields })
  }

  #mark(actor: string, number: number, evidence: StepEvent['evidence']): void {
    const { trace, identity, platform } = this.#options
    trace.emit('step', {
      sequence: INIT_SEQUENCE, number, host: identity.host, actor, at: platform.clock.now(), evidence,
    })
  }
}
