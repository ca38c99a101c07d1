import { meansEnv } from '../actors/node-daemon/means.ts'
import { NodeDaemon } from '../actors/node-daemon/protocol.ts'
import { kernelActors, kernelRuntimeTypes, reachableActors } from '../actors/trust-matrix.ts'
import { messageOf } from '../runtime/errors.ts'
import { limits } from '../runtime/limits.ts'
import { createProcesses, type Processes } from '../runtime/process/processes.ts'
import type { Platform } from '../runtime/platform/ports.ts'
import type { RemoteActor } from '../runtime/remote.ts'
import { backoffMs } from '../runtime/restart.ts'
import { folderOf } from '../runtime/store/location.ts'
import { Supervisor } from '../runtime/supervisor.ts'
import { pause } from '../runtime/within.ts'
import { nodeCatalogue } from './catalogue.ts'
import type { HostLife, HostRun } from './hosts.ts'
import { file } from './init.ts'
import type { NodeIdentity } from './nodes.ts'
import type { Observer } from './observe/observer.ts'
import { supervisionOf } from './supervision.ts'
import { stopUnmanaged } from './unmanaged.ts'
import type { Zone } from './zone.ts'

const RETRY = { min: limits.relinkMsMin, max: limits.relinkMsMax }

/**
 * One start of a node: a host without control plane. Its supervisor, threads, device key and stores are its own, as on
 * another machine; only the channels to the OOD are made within this process.
 */
export class Node implements HostRun {
  readonly processes: Processes
  readonly versions = new Map<string, string>()
  /** Why it does not serve yet. */
  waitsFor = ''
  readonly #zone: Zone
  readonly #platform: Platform
  readonly #node: NodeIdentity
  readonly #supervisor: Supervisor

  constructor(zone: Zone, node: NodeIdentity, ood: HostLife) {
    this.#zone = zone
    this.#node = node
    const { files, identity, config, trace, hosts, observer, knownHosts } = zone
    const platform = this.#platform = zone.platformOf(node.name)
    const { name: host, device, folder } = node
    const stores = files.path(`${folder}/${file.stores}`)
    this.processes = createProcesses({
      platform, host, trace, allow: config.processes.allow, folder: files.path(`${folder}/${file.services}`),
      address: zone.url,
    })
    this.#supervisor = new Supervisor({
      platform, zone: config.zone, host, device, stores: folderOf(stores), trace, kernelActors, kernelRuntimeTypes,
      devices: [
        { host, role: 'node', jwk: device.public.jwk },
        { host: ood.name, role: 'ood', jwk: identity.device.public.jwk },
      ],
      spans: config.telemetry.otlp !== undefined,
      remote: (protocol) =>
        (reachableActors.includes(protocol) ? zone.between(host, ood.name, actorOf(ood, protocol)) : undefined),
      offers: supervisionOf({
        host, supervisor: this.supervisor, processes: this.processes, managed: this.managed, versions: this.versions,
        cluster: hosts.of(host), observer: only(host, observer), knownHosts, platform, folder: files.path('.'),
        hostname: config.http.hostname,
        trust: (devices) => this.#supervisor.trust(devices),
      }),
    }, nodeCatalogue(stores))
  }

  readonly supervisor = (): Supervisor => this.#supervisor

  readonly managed = (name: string): boolean => name !== 'node-daemon'

  /** The daemon logs in by itself, and tries for as long as the OOD is away: so does this. */
  async run(signal: AbortSignal): Promise<void> {
    const { files, identity, config } = this.#zone
    const platform = this.#platform
    stopUnmanaged({ host: this.#node.name, trace: this.#zone.trace, processes: this.processes, signal })
    await files.makeFolder(`${this.#node.folder}/${file.stores}`, { mode: 0o700 })
    await this.#supervisor.load()
    await this.#supervisor.start('node-daemon', {
      env: {
        // Of the same machine
        ...meansEnv(config), BUCKYOS_THIS_DEVICE: this.#node.deviceDocument,
        ZONEWRIGHT_EPOCH: String(identity.zone.epoch),
      },
      secrets: { 'device-key': this.#node.device.exportPem() },
    })
    await convergeFirst({
      platform, supervisor: this.#supervisor, host: this.#node.name, signal,
      onFailed: (why) => { this.waitsFor = why },
    })
  }
}

/** Settles when the daemon of a node has read its config and what it names serves: as long as the OOD is away, not. */
export async function convergeFirst({ platform, supervisor, host, signal, onFailed }: {
  readonly platform: Platform; readonly supervisor: Supervisor; readonly host: string; readonly signal: AbortSignal
  readonly onFailed: (why: string) => void
}): Promise<void> {
  const jitter = platform.random.fork(`converge ${host}`)
  for (let failures = 0; !signal.aborted; failures++) {
    try {
      // A host serves whatever becomes of its programs: how long one takes to be healthy is its own affair
      await supervisor.get(NodeDaemon).converge({ withoutPrograms: true }, { withinMs: limits.startMs, signal })
      return
    } catch (error) {
      onFailed(messageOf(error))
    }
    await pause(platform.clock, backoffMs(jitter, failures, RETRY), signal)
  }
}

/** An actor of the OOD, whose supervisor is in this process. */
const actorOf = (ood: HostLife, protocol: string): RemoteActor => ({
  open: async (caller) => ood.supervisor.accept(protocol, caller),
})

/** What a host is told of what is observed: of itself. */
const only = (host: string, observer: Observer): Observer => ({
  ...observer,
  logs: (query, signal) => observer.logs({ ...query, host }, signal),
  denial(id) {
    const found = observer.denial(id)
    return found?.host === host ? found : undefined
  },
})
