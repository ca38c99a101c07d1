import { VerifyHub } from '../actors/verify-hub/protocol.ts'
import { StartFailed } from '../runtime/errors.ts'
import { limits } from '../runtime/limits.ts'
import type { Migration } from '../runtime/migration.ts'
import type { Files, Platform } from '../runtime/platform/ports.ts'
import type { Client, Protocol } from '../runtime/protocol.ts'
import type { HostState } from '../runtime/supervision.ts'
import { folderOf, reachedBy, type StoreLocation } from '../runtime/store/location.ts'
import type { Supervisor } from '../runtime/supervisor.ts'
import { createTrace, type StepEvent, type Trace } from '../runtime/trace.ts'
import { within } from '../runtime/within.ts'
import { GatewayAddress, urlOf, type Address } from './address.ts'
import { catalogue } from './catalogue.ts'
import { readConfig, type ZoneConfig } from './config.ts'
import { openEtcd } from './etcd/open.ts'
import type { EtcdProgress } from './etcd/start.ts'
import { Nodes, type GivenOwnerKey, type OwnerSigns } from './grow.ts'
import { HostLife, Hosts } from './hosts.ts'
import { configOf, file, init, type Identity } from './init.ts'
import { KnownHosts } from './known-hosts.ts'
import { Migrations } from './migrate/migrations.ts'
import type { EtcdLocation } from './migrate/move-stores.ts'
import { Node } from './node.ts'
import { createObserver, type Observer } from './observe/observer.ts'
import { CONTROL, Ood } from './ood.ts'
import { Oods, refuseAlone, type OodFailed } from './oods.ts'
import { version } from './version.ts'
import type { Zone } from './zone.ts'

export interface UpOptions {
  readonly platform: Platform
  /** Where a host beside the first one runs, asked at each of its starts. Default: in this process. */
  readonly platformOf?: (host: string) => Platform
  /** What stands between a host and an actor of another one. Default: nothing, in one process. */
  readonly between?: Zone['between']
  /** Given by who wants to see the hosts, or end them, before all of them serve. */
  readonly hosts?: Hosts
  /** The zone's folder; made if it is missing. */
  readonly folder: string
  /** Contents of the config file, when it is not `zone.yaml` in the folder. */
  readonly config?: { readonly path: string; readonly text: string; readonly read?: () => Promise<string> }
  /** Hosts beside the first one, in this process. Default: what the config says. */
  readonly nodes?: number
  /** Hosts with the control plane, in this process; their stores are in etcd. Default: one. */
  readonly oods?: number
  /** Signs for hosts that the folder has not had before. */
  readonly ownerKey?: GivenOwnerKey
  readonly ownerPassphrase?: string
  readonly trace?: Trace
  /** Where the first host's actors have their stores. Default: in the zone's folder. */
  readonly stores?: StoreLocation
  /** What the first host can run. Default: the catalogue of an OOD. */
  readonly actors?: typeof catalogue
  /** Told of each thing that `up` itself does, as it is done. */
  readonly onProgress?: (progress: Progress) => void
}

export type Progress =
  | { readonly type: 'identity'; readonly identity: Identity; readonly files: Files; readonly config: ZoneConfig }
  | { readonly type: 'boot-skipped'; readonly revision: number }
  | { readonly type: 'shares'; readonly path: string; readonly count: number }
  | OwnerSigns
  | EtcdProgress
  | { readonly type: 'node'; readonly name: string; readonly serving: number; readonly of: number }
  | OodFailed
  | { readonly type: 'ready' }

export interface RunningZone {
  readonly config: ZoneConfig
  readonly identity: Identity
  readonly files: Files
  /** Of the gateway as it is now: it may come back on another port. */
  readonly address: Address
  /** OODs beside the first host, each with its gateway as it is now. */
  oods(): ReturnType<Oods['list']>
  /** Milliseconds from the call of `up` until every service served. */
  readonly bootMs: number
  readonly secondBoot: boolean
  readonly trace: Trace
  /** Those of the first host. */
  steps(): readonly StepEvent[]
  /** Actors of the first host. */
  list(): ReturnType<Supervisor['list']>
  hosts(): readonly HostState[]
  /** Of the first host, as it runs now: after its restart ask again. */
  get<P extends Protocol>(protocol: P): Client<P>
  /** A new first password for the owner, or undefined once one was used. */
  firstPassword(): Promise<{ username: string; password: string } | undefined>
  /** Starts an actor of the catalogue by hand: no node config stops it. */
  start: Supervisor['start']
  /** Ends an actor of the first host at once, as a crash would. */
  kill(name: string): Promise<void>
  /** Ends a host, or one actor of it. @throws NotFound */
  killHost(host: string, actor?: string): Promise<void>
  /** See Supervisor.expose. */
  expose: Supervisor['expose']
  /** Moves all stores of the first host there while it serves. @throws what `moveStores` does */
  moveStores(to: EtcdLocation): Promise<Migration>
  stop(): Promise<void>
}

/**
 * Boots the zone of a folder, by the sequence that `sequences.ts` documents, and the nodes that this process runs;
 * settles when every service serves. Killed anywhere, the next call goes on from what is durable. What it throws has a
 * code that `exitCodes` knows.
 */
export async function up(options: UpOptions): Promise<RunningZone> {
  const { platform, onProgress = () => {} } = options
  const began = platform.clock.monotonic()
  const files = await platform.host.openFolder(options.folder)
  const unlock = await files.lock(file.lock)
  try {
    const read = await readZoneFile(options, files)
    const count = options.nodes ?? read.config.nodes
    const oods = (options.oods ?? 1) - 1
    if (oods > 0) refuseAlone(options.stores, read.config)
    const { ownerPassphrase } = options
    const given = ownerPassphrase === undefined ? {} : { ownerPassphrase }
    const identity = await init({ platform, files, read, nodes: count, oods, ...given })
    const config = { ...configOf(identity, read), nodes: count }
    onProgress({ type: 'identity', identity, files, config })
    const nodes = await Nodes.open({
      platform, files, identity, count, oods, ...given, onSigns: onProgress,
      ...(options.ownerKey === undefined ? {} : { ownerKey: options.ownerKey }),
    })
    const trace = options.trace ?? createTrace()
    const etcd = await openEtcd({ ...options, trace }, files, identity, config)
    const reread = async (): Promise<ZoneConfig> => configOf(identity, await readZoneFile(options, files, true))
    try {
      const stores = options.stores ?? folderOf(files.path(file.stores))
      // Also of a zone whose stores are still in its folder: its workers have to reach what they are moved to
      const reached = stores.type === 'folder' && config.etcd ? { type: 'etcd' as const, ...config.etcd } : stores
      const storesAt = await reachedBy(reached, platform.host.lookup)
      const boot = new Boot({ ...options, trace, stores, storesAt, reread, etcd }, files, identity, config, nodes)
      try {
        await boot.run()
        const bootMs = platform.clock.monotonic() - began
        await boot.ready(bootMs)
        onProgress({ type: 'ready' })
        return boot.running(bootMs, unlock)
      } catch (error) {
        await boot.close()
        throw error
      }
    } catch (error) {
      await etcd?.close()
      throw error
    }
  } catch (error) {
    await unlock()
    throw error
  }
}

/** `anew`: as the file is by now, without what the command line put in the place of its values. */
async function readZoneFile({ config }: UpOptions, files: Files, anew = false) {
  if (config) return readConfig((anew && await config.read?.()) || config.text, config.path)
  const bytes = await files.read(file.config)
  return readConfig(bytes && new TextDecoder().decode(bytes), files.path(file.config))
}

class Boot {
  readonly observer: Observer
  readonly #zone: Zone
  readonly #nodes: Nodes
  readonly #hosts: Hosts
  readonly #ood: HostLife
  readonly #oods: Oods
  readonly #migrations: Migrations
  /** The last start of the first host. */
  #run!: Ood
  #secondBoot = false
  readonly #unmanaged = new Set([...CONTROL, 'vault-listener'])
  readonly #onProgress: (progress: Progress) => void
  readonly #address: GatewayAddress

  constructor(
    options: UpOptions & Pick<Zone, 'stores' | 'storesAt' | 'reread' | 'etcd' | 'trace'>, files: Files,
    identity: Identity, config: ZoneConfig, nodes: Nodes,
  ) {
    const { platform, ownerPassphrase = '', onProgress = () => {}, actors = catalogue, trace, etcd } = options
    this.#hosts = options.hosts ?? new Hosts()
    this.#nodes = nodes
    this.#onProgress = onProgress
    this.observer = createObserver({
      platform, trace, files, folder: file.logs, zone: config.zone, host: config.host, version,
      otlp: config.telemetry.otlp,
      inspect: () => Promise.all(this.#hosts.all().filter(({ state }) => state === 'serving')
        .map(async ({ name, supervisor }) => ({ host: name, actors: await supervisor.inspect() }))),
    })
    const secrets = [...nodes.identities.map(({ device }) => device), identity.device].map((key) => key.exportPem())
    for (const secret of [...secrets, identity.unsealKey, ownerPassphrase]) this.observer.conceal(secret)
    let moved: StoreLocation | undefined
    const zone: Zone = this.#zone = {
      platform, files, identity, config, trace, hosts: this.#hosts, observer: this.observer,
      get stores() { return moved ?? etcd?.stores ?? options.stores },
      set stores(to) { moved = to },
      storesAt: options.storesAt, reread: options.reread, etcd,
      platformOf: options.platformOf ?? (() => platform), between: options.between ?? ((_from, _to, actor) => actor),
      knownHosts: new KnownHosts(platform.keys, identity.zone),
      url: () => this.#address.url,
    }
    this.#migrations = new Migrations(zone, () => this.#ood.supervisor)
    this.#address = new GatewayAddress(trace, config.host)
    this.#oods = new Oods({ zone, actors, migrations: this.#migrations })
    this.#ood = this.#hosts.add(new HostLife({
      name: config.host, role: 'ood', platform, trace,
      make: () => this.#run = new Ood({
        zone, isFirst: identity.joined === undefined, unmanaged: this.#unmanaged, migrations: this.#migrations,
        actors: (stores, etcd) => actors(stores, config, () => this.#address.now.port, etcd),
        nodeDocuments: [...nodes.oods, ...nodes.identities].map(({ deviceDocument }) => deviceDocument),
        // What a restart does was said by the first start
        onProgress: this.#ood.starts > 1 ? () => {} : onProgress,
      }),
    }))
  }

  async run(): Promise<void> {
    await this.#ood.start()
    this.#secondBoot = this.#run.secondBoot
    const { identities, oods } = this.#nodes
    if (identities.length + oods.length === 0) return
    await this.#nodes.register(this.#run)
    await this.#oods.startAll(oods, this.#onProgress)
    const waiting = [...identities]
    let serving = 0
    const lane = async (): Promise<void> => {
      for (let node = waiting.shift(); node !== undefined; node = waiting.shift()) {
        await this.#startNode(node)
        this.#onProgress({ type: 'node', name: node.name, serving: ++serving, of: identities.length })
      }
    }
    await Promise.all(Array.from({ length: limits.nodesAtOnce }, lane))
  }

  async #startNode(node: Nodes['identities'][number]): Promise<void> {
    const { platform, trace } = this.#zone
    let run: Node | undefined
    const life = this.#hosts.add(new HostLife({
      name: node.name, role: 'node', platform, trace, make: () => run = new Node(this.#zone, node, this.#ood),
    }))
    await within(platform.clock, 2 * limits.startMs, life.start(), () =>
      new StartFailed(`${node.name} did not come to serve within ${2 * limits.startMs} ms: ${run?.waitsFor ?? ''}`))
  }

  async ready(bootMs: number): Promise<void> {
    this.observer.booted(bootMs)
    await this.#zone.etcd?.ready(() => this.#ood.supervisor, urlOf(this.#address.now), bootMs, () =>
      this.#oods.list().filter(({ life }) => life.state === 'serving').map(({ life }) => life.supervisor))
  }

  running(bootMs: number, unlock: () => Promise<void>): RunningZone {
    const { config, identity, files, trace } = this.#zone
    const address = () => this.#address.now
    return {
      config, identity, files, bootMs, secondBoot: this.#secondBoot, trace,
      get address() {
        return address()
      },
      oods: () => this.#oods.list(),
      steps: () => this.#ood.supervisor.steps(),
      list: () => this.#ood.supervisor.list(),
      hosts: () => this.#hosts.hosts(),
      get: (protocol) => this.#ood.supervisor.get(protocol),
      firstPassword: async () => {
        // For the host which made the zone
        if (identity.joined) return undefined
        const { username, password, issued } = await this.#ood.supervisor.get(VerifyHub).issueFirstPassword({})
        if (issued) this.observer.conceal(password)
        return issued ? { username, password } : undefined
      },
      start: (name, given) => {
        this.#unmanaged.add(name)
        return this.#ood.supervisor.start(name, given)
      },
      kill: (name) => this.#ood.supervisor.kill(name),
      killHost: (host, actor) => this.#hosts.kill(host, actor),
      expose: (name, peer) => this.#ood.supervisor.expose(name, peer),
      moveStores: (to) => this.#migrations.to(to),
      stop: () => this.close().finally(unlock),
    }
  }

  async close(): Promise<void> {
    try {
      await this.#zone.etcd?.close()
      await this.#migrations.close()
      await this.#hosts.stop()
    } finally {
      this.#address.close()
      this.#oods.close()
      await this.observer.close()
    }
  }
}
