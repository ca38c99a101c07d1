import { INIT_ENV, INIT_SEQUENCE, initStep } from '../../actors/init-steps.ts'
import { kernelActors, kernelRuntimeTypes } from '../../actors/trust-matrix.ts'
import { Vault, type Authority } from '../../actors/vault/protocol.ts'
import { mayCrash } from '../../runtime/fault-points.ts'
import type { Files, Platform } from '../../runtime/platform/ports.ts'
import type { Client } from '../../runtime/protocol.ts'
import { folderOf, reachedBy, type StoreLocation } from '../../runtime/store/location.ts'
import { Supervisor } from '../../runtime/supervisor.ts'
import type { StepEvent, Trace } from '../../runtime/trace.ts'
import { bootedMarker } from '../booted.ts'
import { catalogue } from '../catalogue.ts'
import { readConfig, type ReadConfig, type ZoneConfig } from '../config.ts'
import type { GivenOwnerKey } from '../grow.ts'
import { configOf, file, init, type Identity } from '../init.ts'
import { readJournal } from '../migrate/journal.ts'
import { keepRecoveryShares } from '../recovery-shares.ts'
import type { StepRow } from '../render.ts'
import { lastPemsStep } from '../sequences.ts'
import type { Progress } from '../up.ts'
import { certifyAnchor, type AnchorSigned } from './anchor.ts'
import { fault, holdCertificate, type Held } from './certificates.ts'
import { etcdOf } from './etcd-config.ts'
import { endpointOf, memberNames, pems, type Endpoint } from './names.ts'
import { readPair } from './pair.ts'
import { putFile } from './put.ts'
import { Initialisation } from './remembered.ts'
import { handOver } from './unrecorded.ts'
import { wantedCertificates, type WantedFile } from './wanted.ts'

export interface GenPemsOptions {
  readonly platform: Platform
  /** The zone's folder; made if it is missing. */
  readonly folder: string
  readonly config: { readonly path: string; readonly text: string }
  /** Signs for the anchor. Default: the one in the folder. */
  readonly ownerKey?: GivenOwnerKey
  readonly ownerPassphrase?: string
  /** Makes every certificate anew, however long it would last. */
  readonly renew?: boolean
  readonly trace: Trace
  readonly onProgress: (progress: PemsProgress) => void
}

export type PemsProgress =
  | Extract<Progress, { type: 'identity' | 'shares' }>
  | AnchorSigned
  | { readonly type: 'certificate'; readonly wanted: WantedFile; readonly held: Held; readonly done: number
    readonly of: number }

export interface GenPems {
  readonly config: ZoneConfig
  readonly identity: Identity
  readonly files: Files
  readonly unused: readonly string[]
  readonly certificates: readonly { readonly wanted: WantedFile; readonly held: Held }[]
  /** Names in the folder that were written now. */
  readonly written: readonly string[]
  readonly endpoints: readonly Endpoint[]
  readonly rows: readonly StepRow[]
}

/**
 * Steps 1 to 4 of the documented initialisation: certificates of the zone and its etcd, by a vault on files that runs
 * for this alone. What is good stays, so that a second run changes nothing; killed anywhere, the next one goes on.
 * @throws ConfigInvalid, FolderInUse, OwnerKeyNeeded, what `init` throws, VaultSealed
 */
export async function genPems(options: GenPemsOptions): Promise<GenPems> {
  const { platform, config: { text, path }, trace } = options
  const began = platform.clock.now()
  const read = readConfig(text, path)
  etcdOf(read.config, path)
  const files = await platform.host.openFolder(options.folder)
  const unlock = await files.lock(file.lock)
  try {
    const initialisation = await Initialisation.open(files, began)
    initialisation.follow(trace)
    try {
      return await new PemsRun(options, files, read, initialisation).run()
    } finally {
      initialisation.close()
    }
  } finally {
    await unlock()
  }
}

class PemsRun {
  readonly #options: GenPemsOptions
  readonly #files: Files
  readonly #read: ReadConfig
  readonly #initialisation: Initialisation
  readonly #written: string[] = []

  constructor(options: GenPemsOptions, files: Files, read: ReadConfig, initialisation: Initialisation) {
    this.#options = options
    this.#files = files
    this.#read = read
    this.#initialisation = initialisation
  }

  async run(): Promise<GenPems> {
    const { platform, onProgress, ownerPassphrase, config: { path } } = this.#options
    const files = this.#files
    const identity = await init({
      platform, files, read: this.#read, nodes: this.#read.config.nodes,
      ...(ownerPassphrase === undefined ? {} : { ownerPassphrase }),
    })
    const config = configOf(identity, this.#read)
    onProgress({ type: 'identity', identity, files, config })
    const { endpoints } = etcdOf(config, path)
    this.#mark(identity, 'ood', initStep.pemsAsked, { config: path, endpoints: endpoints.length })
    const supervisor = await this.#vaultAlone(identity, config)
    let certificates: GenPems['certificates']
    try {
      certificates = await this.#write(identity, config, supervisor.get(Vault))
    } finally {
      await supervisor.stopAll()
    }
    if (this.#written.length > 0 || !this.#isMarked()) {
      const [server, client] = certificates.map(({ held: { serial } }) => serial)
      this.#mark(identity, 'ood', initStep.certificatesReceived, {
        server: server!, client: client!, members: endpoints.length,
      })
      mayCrash('pems/all-written')
      this.#mark(identity, 'admin', initStep.pemsSaved, {
        files: await this.#verified(config), folder: files.path(pems.folder),
      })
      await this.#initialisation.keep()
    }
    return {
      config, identity, files, unused: this.#read.unused, certificates, written: this.#written,
      endpoints: endpoints.map(endpointOf), rows: this.#initialisation.rows().filter(({ number }) => isPems(number)),
    }
  }

  #isMarked(): boolean {
    return Array.from({ length: lastPemsStep }, (_, index) => index + 1)
      .every((number) => this.#initialisation.had(number))
  }

  #mark(identity: Identity, actor: string, number: number, evidence: StepEvent['evidence']): void {
    const { trace, platform: { clock } } = this.#options
    trace.emit('step', { sequence: INIT_SEQUENCE, number, host: identity.host, actor, at: clock.now(), evidence })
  }

  async #vaultAlone(identity: Identity, config: ZoneConfig): Promise<Supervisor> {
    const { platform, trace, onProgress } = this.#options
    const files = this.#files
    const { zone, host } = config
    const marker = await bootedMarker(files, zone)
    for (const name of [file.stores, file.audit]) await files.makeFolder(name, { mode: 0o700 })
    const stores = await this.#storesOf(config)
    const reached = await reachedBy(stores.type === 'folder' ? stores.moving ?? stores : stores, platform.host.lookup)
    const supervisor = new Supervisor({
      platform, zone, host, device: identity.device, stores, trace, kernelActors, kernelRuntimeTypes,
      devices: [{ host, role: 'ood', jwk: identity.device.public.jwk }],
    }, catalogue(files.path(file.stores), config, undefined, reached).filter(({ protocol }) => protocol === Vault))
    try {
      await supervisor.load()
      await supervisor.start('vault', {
        env: { [INIT_ENV]: 'pems', ...(marker ? { ZONEWRIGHT_BOOTED: '1' } : {}) },
        secrets: { 'unseal-key': identity.unsealKey },
      })
      const shares = await keepRecoveryShares(supervisor, files, () => {})
      if (shares) onProgress({ type: 'shares', ...shares })
    } catch (error) {
      await supervisor.stopAll()
      throw error
    }
    return supervisor
  }

  /** In the folder; where `start` has moved them, in etcd. @throws what `reachEtcd` does */
  async #storesOf(config: ZoneConfig): Promise<StoreLocation> {
    const path = this.#files.path(file.stores)
    if (!await readJournal(this.#files)) return folderOf(path)
    // What speaks to etcd takes long to load, and mostly is not needed here
    const { reachedTarget } = await import('./target.ts')
    return { type: 'folder', path, moving: await reachedTarget(this.#options.platform, this.#files, config) }
  }

  async #write(
    identity: Identity, config: ZoneConfig, vault: Client<typeof Vault>,
  ): Promise<GenPems['certificates']> {
    const { platform, renew = false, onProgress } = this.#options
    const files = this.#files
    const made = await vault.ensureAuthorities({})
    // What `recover etcd` signed may hold a new certificate of the authority itself
    const authorities = await handOver(files, vault) === 0 ? made
      : [...made.filter(({ mount }) => mount === 'pki'), ...await vault.authorities({ mount: 'pki-etcd' })]
    const roots = { pki: rootsOf(authorities, 'pki'), 'pki-etcd': rootsOf(authorities, 'pki-etcd') }
    await files.makeFolder(pems.folder, { mode: 0o700 })
    // First: only this may need something of a person
    const { publicKey } = await vault.ensureKey({ name: 'anchor' })
    if (await certifyAnchor(this.#options, files, identity, publicKey)) this.#written.push(pems.anchor)
    await this.#put(pems.root, roots.pki.join(''), 0o644)
    await this.#put(pems.etcdAuthority, roots['pki-etcd'].join(''), 0o644)
    await this.#put(pems.etcdSealed, (await vault.sealAuthority({ mount: 'pki-etcd' })).sealed, 0o600)
    const wanted = wantedCertificates(config)
    const certificates: GenPems['certificates'][number][] = []
    for (const each of wanted) {
      if (each.member) {
        const names = memberNames(each.member)
        await files.makeFolder(names.folder, { mode: 0o700 })
        await this.#put(names.authority, roots['pki-etcd'].join(''), 0o644)
      }
      const held = await holdCertificate({ platform, files, vault, roots: roots[each.mount], renew }, each)
      if (held.made !== undefined) this.#written.push(each.names.certificate, each.names.key)
      certificates.push({ wanted: each, held })
      onProgress({ type: 'certificate', wanted: each, held, done: certificates.length, of: wanted.length })
    }
    return certificates
  }

  async #put(name: string, text: string, mode: number): Promise<void> {
    if (await putFile(this.#files, name, text, mode)) this.#written.push(name)
  }

  /** Reads everything again, as those that are to use it. @returns how many files there are */
  async #verified(config: ZoneConfig): Promise<number> {
    const files = this.#files
    const root = { pki: await textOf(files, pems.root), 'pki-etcd': await textOf(files, pems.etcdAuthority) }
    const wanted = wantedCertificates(config)
    for (const each of wanted) {
      const why = fault(this.#options.platform, await readPair(files, each.names), each, [root[each.mount]])
      if (why !== undefined) throw new Error(`${files.path(each.names.certificate)}: ${why}`)
    }
    const ofMembers = wanted.filter(({ member }) => member).length
    return 2 * wanted.length + ofMembers + [pems.root, pems.etcdAuthority, pems.etcdSealed, pems.anchor].length
  }
}

const isPems = (number: number): boolean => number <= lastPemsStep

const textOf = async (files: Files, name: string): Promise<string> =>
  new TextDecoder().decode(await files.read(name) ?? new Uint8Array())

/** PEM of the roots of a mount that are trusted now, newest last. */
export const rootsOf = (authorities: readonly Authority[], mount: string): readonly string[] => authorities
  .filter((each) => each.mount === mount && each.kind === 'root' && each.state !== 'revoked')
  .map(({ pem }) => (pem.endsWith('\n') ? pem : `${pem}\n`))
