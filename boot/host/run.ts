import { meansEnv } from '../../actors/node-daemon/means.ts'
import { Gateway } from '../../actors/gateway/protocol.ts'
import { readDeviceBy } from '../../actors/read-device.ts'
import { kernelActors, kernelRuntimeTypes, reachableActors } from '../../actors/trust-matrix.ts'
import { Uplink, uplinkEnv, uplinkSecrets, type UplinkStart, type UplinkState } from '../../actors/uplink/protocol.ts'
import { verifyZoneDocument, type ZoneDocument } from '../../actors/zone-document.ts'
import { messageOf } from '../../runtime/errors.ts'
import type { Files, Platform } from '../../runtime/platform/ports.ts'
import type { TlsPair } from '../../runtime/platform/tls-ports.ts'
import { limits } from '../../runtime/limits.ts'
import { createProcesses, type Processes } from '../../runtime/process/processes.ts'
import { folderOf } from '../../runtime/store/location.ts'
import { Supervision, type HostState } from '../../runtime/supervision.ts'
import { Supervisor } from '../../runtime/supervisor.ts'
import { createTrace, type ActorEvent, type StepEvent, type Trace } from '../../runtime/trace.ts'
import { pause } from '../../runtime/within.ts'
import { hostCatalogue } from '../catalogue.ts'
import { readConfig, type ZoneConfig } from '../config.ts'
import { NotJoined } from '../errors.ts'
import { HostLife, Hosts, type HostRun } from '../hosts.ts'
import { file } from '../init.ts'
import { KnownHosts } from '../known-hosts.ts'
import { convergeFirst } from '../node.ts'
import { createObserver, type Observer } from '../observe/observer.ts'
import { supervisionOf } from '../supervision.ts'
import { stopUnmanaged } from '../unmanaged.ts'
import { urlOf } from '../address.ts'
import { version } from '../version.ts'
import { openHost, type HostIdentity } from './folder.ts'

export interface RunHostOptions {
  readonly platform: Platform
  /** Of a host that has joined. */
  readonly folder: string
  readonly trace?: Trace
  /** Of the gateway for its programs, in place of what `zone.yaml` in the folder says. */
  readonly port?: number
  /** Of who has just joined; without it the device key asks for the next. It is in memory only. */
  readonly certificate?: TlsPair
  /** What it can run. Default: the catalogue of a host that joined. */
  readonly actors?: typeof hostCatalogue
}

export interface RunningHost {
  readonly identity: HostIdentity
  readonly trace: Trace
  /** Settles when what its config names serves for the first time; until then the control plane may be away. */
  readonly serving: Promise<void>
  /** How it reaches its zone. @throws Unavailable before it is loaded */
  uplink(): Promise<UplinkState>
  /** Where its programs reach the zone; undefined before the gateway serves. */
  address(): { readonly hostname: string; readonly port: number } | undefined
  steps(): readonly StepEvent[]
  list(): HostState
  /** Ends the host, or one actor of it, as a crash would. */
  kill(actor?: string): Promise<void>
  stop(): Promise<void>
}

/** What all starts of the host share. */
interface Surroundings extends Pick<RunHostOptions, 'platform' | 'certificate'> {
  readonly actors: typeof hostCatalogue
  readonly files: Files
  readonly identity: HostIdentity
  readonly config: ZoneConfig
  readonly trace: Trace
  readonly hosts: Hosts
  readonly observer: Observer
  readonly knownHosts: KnownHosts
  readonly address: () => { readonly hostname: string; readonly port: number } | undefined
}

/**
 * Runs a host that joined, from its folder: by itself it finds its way to the zone, and finds it again after whatever
 * has happened. @throws NotJoined, FolderDamaged, FolderInUse, DeviceKeyMissing, DeviceKeyMismatch, ConfigInvalid
 */
export async function runHost(options: RunHostOptions): Promise<RunningHost> {
  const { platform, folder, port, certificate, actors = hostCatalogue } = options
  const files = await platform.host.openFolder(folder)
  const unlock = await files.lock(file.lock)
  try {
    const identity = await openHost(platform, files)
    demandHost(identity)
    const bytes = await files.read(file.config)
    const read = readConfig(bytes && new TextDecoder().decode(bytes), files.path(file.config)).config
    const { host, zone } = identity.file
    const http = { ...read.http, ...(port === undefined ? {} : { port }) }
    const config: ZoneConfig = { ...read, http, zone, host, owner: identity.zone.owner }
    const trace = options.trace ?? createTrace()
    const hosts = new Hosts()
    const observer = createObserver({
      platform, trace, files, folder: file.logs, zone, host, version, otlp: config.telemetry.otlp,
      inspect: () => Promise.all(hosts.all().filter(({ state }) => state === 'serving')
        .map(async ({ name, supervisor }) => ({ host: name, actors: await supervisor.inspect() }))),
    })
    for (const secret of [identity.device.exportPem(), ...(certificate ? [certificate.key] : [])]) {
      observer.conceal(secret)
    }
    let address: { hostname: string; port: number } | undefined
    const followGateway = ({ actor, state }: ActorEvent): void => {
      if (actor !== Gateway.name || state !== 'serving') return
      const ask = async (): Promise<void> => { address = await life.supervisor.get(Gateway).address({}) }
      // When its supervisor has linked to it; one that ends meanwhile tells when it serves again
      platform.clock.soon(() => void ask().catch(() => {}))
    }
    trace.on('actor', followGateway)
    const surroundings: Surroundings = {
      platform, files, identity, config, trace, hosts, observer, actors, address: () => address,
      knownHosts: new KnownHosts(platform.keys, identity.zone), ...(certificate ? { certificate } : {}),
    }
    const life = hosts.add(new HostLife({
      name: host, role: 'node', platform, trace,
      // A certificate from the join is for the first start: a later one asks anew
      make: () => new JoinedHost(surroundings, life.starts === 1),
    }))
    const serving = life.start()
    serving.catch(() => {})
    return {
      identity, trace, serving, address: () => address,
      uplink: async () => await life.supervisor.get(Uplink).state({}),
      steps: () => life.supervisor.steps(),
      list: () => life.list(),
      kill: (actor) => hosts.kill(host, actor),
      async stop() {
        try {
          await hosts.stop()
        } finally {
          trace.off('actor', followGateway)
          await observer.close()
          await unlock()
        }
      },
    }
  } catch (error) {
    await unlock()
    throw error
  }
}

function demandHost({ file: { host, role } }: HostIdentity): void {
  if (role === 'node') return
  throw new NotJoined(`It is a client device, and no host: ${host}`, { next: 'Use it by `tunnel --to SERVICE`' })
}

/** One start of it: like `Node`, but that its zone is at the other end of a wire. */
class JoinedHost implements HostRun {
  readonly processes: Processes
  readonly versions = new Map<string, string>()
  readonly #in: Surroundings
  readonly #first: boolean
  readonly #supervisor: Supervisor

  constructor(surroundings: Surroundings, first: boolean) {
    this.#in = surroundings
    this.#first = first
    const { platform, files, identity, config, trace, hosts, observer, knownHosts, address, actors } = surroundings
    const { file: { zone, host }, device } = identity
    const stores = files.path(file.stores)
    this.processes = createProcesses({
      platform, host, trace, allow: config.processes.allow, folder: files.path(file.services),
      address: () => {
        const found = address()
        return found && urlOf(found)
      },
    })
    this.#supervisor = new Supervisor({
      platform, zone, host, device, stores: folderOf(stores), trace, kernelActors, kernelRuntimeTypes,
      devices: [
        { host, role: 'node', jwk: device.public.jwk },
        ...identity.oods.map(({ name, key }) => ({ host: name, role: 'ood' as const, jwk: key })),
      ],
      spans: config.telemetry.otlp !== undefined,
      remote: (protocol) => (isElsewhere(protocol) ? this.#supervisor.carriedBy(Uplink.name)(protocol) : undefined),
      offers: supervisionOf({
        host, supervisor: this.supervisor, processes: this.processes, managed: this.managed, versions: this.versions,
        cluster: hosts.of(host), observer, knownHosts, platform, folder: files.path('.'),
        hostname: config.http.hostname,
        trust: (devices) => this.#supervisor.trust(devices),
      }),
    }, actors(stores, config.http, () => address()?.port ?? 0))
  }

  readonly supervisor = (): Supervisor => this.#supervisor

  readonly managed = (name: string): boolean => !OWN.includes(name)

  async run(signal: AbortSignal): Promise<void> {
    const { platform, files, identity, config, certificate, trace } = this.#in
    const { file: { host, servers, roots, anchors, rootsVersion, zoneDocument }, device } = identity
    stopUnmanaged({ host, trace, processes: this.processes, signal })
    await files.makeFolder(file.stores, { mode: 0o700 })
    await this.#supervisor.load()
    const { http: { port } } = config
    const start: UplinkStart = {
      servers, roots, anchors, rootsVersion, zoneDocument, ...(port > 0 ? { ownPorts: [port] } : {}),
    }
    await this.#supervisor.start(Uplink.name, {
      env: { [uplinkEnv]: JSON.stringify(start) },
      secrets: {
        [uplinkSecrets.device]: device.exportPem(),
        ...(this.#first && certificate ? {
          [uplinkSecrets.certificate]: certificate.certificate, [uplinkSecrets.certificateKey]: certificate.key,
        } : {}),
      },
    })
    const zone = await this.#follow()
    await this.#startDaemon(zone.epoch)
    await this.#supervisor.start(Gateway.name)
    void this.#followEpoch(zone.epoch, signal)
    await convergeFirst({ platform, supervisor: this.#supervisor, host, signal, onFailed() {} })
  }

  /** @param epoch of the zone, by which the daemon signs */
  async #startDaemon(epoch: number): Promise<void> {
    const { config, identity: { file: { deviceDocument }, device } } = this.#in
    await this.#supervisor.start('node-daemon', {
      env: { ...meansEnv(config), BUCKYOS_THIS_DEVICE: deviceDocument, ZONEWRIGHT_EPOCH: String(epoch) },
      secrets: { 'device-key': device.exportPem() },
    })
  }

  /**
   * A zone that was restored has another epoch, and takes nothing that was signed by the one before: neither what the
   * daemon signs, nor what services were given. All of these start anew, by the document that the owner signed.
   */
  async #followEpoch(first: number, signal: AbortSignal): Promise<void> {
    const { platform: { clock }, trace, identity: { file: { host } } } = this.#in
    const warn = (message: string): void =>
      trace.emit('log', { host, actor: 'supervisor', at: clock.now(), level: 'warn', message, fields: {} })
    for (let epoch = first; ;) {
      await pause(clock, limits.hostEpochLookMs, signal)
      if (signal.aborted) return
      const next = await this.#known().then((known) => known?.zone.epoch, () => undefined)
      if (next === undefined || next <= epoch || signal.aborted) continue
      warn(`The zone has another epoch, ${next} after ${epoch}: the daemon of this host and its services start anew`)
      try {
        await this.#supervisor.stop('node-daemon')
        await Promise.all(this.processes.list().map(({ name }) => this.processes.stop(name)))
        await this.#startDaemon(next)
        epoch = next
      } catch (error) {
        if (!signal.aborted) warn(`They did not start: ${messageOf(error)}`)
      }
    }
  }

  /** Hosts of the control plane may have come and gone since it joined: trusts those that it was last told of. */
  async #follow(): Promise<ZoneDocument> {
    const { platform: { keys }, identity: { zone } } = this.#in
    const known = await this.#known()
    if (!known) return zone
    const oods = known.oods.map(readDeviceBy(keys, zone)).filter((one) => one !== undefined)
    this.#supervisor.trust(oods.map(({ name, key }) => ({ host: name, role: 'ood' as const, jwk: key })))
    return known.zone
  }

  /** What the uplink was told last; it takes none but the owner's, and none that is older. */
  async #known(): Promise<{ readonly zone: ZoneDocument; readonly oods: readonly string[] } | undefined> {
    const known = await this.#supervisor.get(Uplink).documents({})
    const verdict = known && verifyZoneDocument(this.#in.platform.keys, known.zoneDocument)
    return verdict?.accepted ? { zone: verdict.payload, oods: known!.oods } : undefined
  }
}

/** What the host itself is made of: no config starts or stops these. */
export const OWN: readonly string[] = ['node-daemon', Uplink.name, Gateway.name]

/** Of the control plane what any host may reach, and what other hosts run. */
const isElsewhere = (protocol: string): boolean =>
  reachableActors.includes(protocol)
  || (protocol !== Supervision.name && !(kernelActors as readonly string[]).includes(protocol))
