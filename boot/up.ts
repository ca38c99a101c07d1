import { Gateway } from '../actors/gateway/protocol.ts'
import { NodeDaemon } from '../actors/node-daemon/protocol.ts'
import { BootScheduler } from '../actors/scheduler/protocol.ts'
import { SystemConfig } from '../actors/system-config/protocol.ts'
import { kernelActors } from '../actors/trust-matrix.ts'
import { Vault } from '../actors/vault/protocol.ts'
import { VerifyHub } from '../actors/verify-hub/protocol.ts'
import { limits } from '../runtime/limits.ts'
import { NotFound } from '../runtime/errors.ts'
import type { Files, Platform } from '../runtime/platform/ports.ts'
import type { Client, Protocol } from '../runtime/protocol.ts'
import type { ActorSpec } from '../runtime/spec.ts'
import { Supervisor } from '../runtime/supervisor.ts'
import { createTrace, type StepEvent, type Trace } from '../runtime/trace.ts'
import { toBase64url } from '../runtime/trust/base64url.ts'
import { signToken, tokenLifetimeSeconds } from '../runtime/trust/token.ts'
import { assertSameStore, bootedMarker, writeBootedMarker, type BootedMarker } from './booted.ts'
import { sequenceComplete } from './complete.ts'
import { catalogue } from './catalogue.ts'
import { readConfig, type ZoneConfig } from './config.ts'
import { configOf, file, init, type Identity } from './init.ts'
import type { Cluster } from './cluster.ts'
import { createObserver, type Observer } from './observe/observer.ts'
import { createProcesses, type Processes } from '../runtime/process/processes.ts'
import { actorsOf, supervisionOf } from './supervision.ts'

export interface UpOptions {
  readonly platform: Platform
  /** The zone's folder; made if it is missing. */
  readonly folder: string
  /** Contents of the config file, when it is not `zone.yaml` in the folder. */
  readonly config?: { readonly path: string; readonly text: string }
  readonly ownerPassphrase?: string
  readonly trace?: Trace
  /** What this host can run. Default: the catalogue of an OOD. */
  readonly actors?: (stores: string, config: ZoneConfig) => readonly ActorSpec[]
  /** Told of each thing that `up` itself does, as it is done. */
  readonly onProgress?: (progress: Progress) => void
}

export type Progress =
  | { readonly type: 'identity'; readonly identity: Identity; readonly files: Files }
  | { readonly type: 'boot-skipped'; readonly revision: number }
  | { readonly type: 'shares'; readonly path: string; readonly count: number }
  | { readonly type: 'ready' }

export interface RunningZone {
  readonly config: ZoneConfig
  readonly identity: Identity
  readonly files: Files
  readonly address: { readonly hostname: string; readonly port: number }
  /** Milliseconds from the call of `up` until every service served. */
  readonly bootMs: number
  readonly secondBoot: boolean
  readonly trace: Trace
  steps(): readonly StepEvent[]
  list(): ReturnType<Supervisor['list']>
  get<P extends Protocol>(protocol: P): Client<P>
  /** A new first password for the owner, or undefined once one was used. */
  firstPassword(): Promise<{ username: string; password: string } | undefined>
  /** Starts an actor of the catalogue by hand: no node config stops it. */
  start: Supervisor['start']
  kill(name: string): Promise<void>
  /** See Supervisor.expose. */
  expose: Supervisor['expose']
  stop(): Promise<void>
}

/** What the control plane itself needs to run; the node config never names these. */
const CONTROL: readonly string[] = ['vault', 'system-config', 'boot-scheduler', 'node-daemon']

/**
 * Boots the zone of a folder, by the sequence that `sequences.ts` documents; settles when every service serves.
 * Killed anywhere, the next call goes on from what is durable. What it throws has a code that `exitCodes` knows.
 */
export async function up(options: UpOptions): Promise<RunningZone> {
  const { platform, onProgress = () => {} } = options
  const began = platform.clock.monotonic()
  const files = await platform.host.openFolder(options.folder)
  const unlock = await files.lock(file.lock)
  try {
    const read = await readZoneFile(options, files)
    const identity = await init({
      platform, files, read,
      ...(options.ownerPassphrase === undefined ? {} : { ownerPassphrase: options.ownerPassphrase }),
    })
    onProgress({ type: 'identity', identity, files })
    const zone = new Boot(options, files, identity, configOf(identity, read))
    try {
      await zone.run(onProgress)
    } catch (error) {
      await zone.supervisor.stopAll()
      throw error
    }
    onProgress({ type: 'ready' })
    return zone.running(platform.clock.monotonic() - began, unlock)
  } catch (error) {
    await unlock()
    throw error
  }
}

async function readZoneFile({ config }: UpOptions, files: Files) {
  if (config) return readConfig(config.text, config.path)
  const bytes = await files.read(file.config)
  return readConfig(bytes && new TextDecoder().decode(bytes), files.path(file.config))
}

class Boot {
  readonly supervisor: Supervisor
  readonly #platform: Platform
  readonly #files: Files
  readonly #identity: Identity
  readonly #config: ZoneConfig
  /** What the node daemon neither starts nor stops: the control plane, and what was started by hand. */
  readonly #unmanaged = new Set(CONTROL)
  readonly #observer: Observer
  readonly #processes: Processes
  #secondBoot = false
  #address = { hostname: '', port: 0 }

  constructor(options: UpOptions, files: Files, identity: Identity, config: ZoneConfig) {
    this.#platform = options.platform
    this.#files = files
    this.#identity = identity
    this.#config = config
    const stores = files.path(file.stores)
    const { host } = config
    const trace = options.trace ?? createTrace()
    this.#observer = createObserver({
      trace, inspect: async () => [{ host, actors: await this.supervisor.inspect() }],
    })
    this.#processes = createProcesses({
      platform: options.platform, host, trace, allow: config.processes.allow, folder: files.path(file.services),
    })
    const parts = {
      host, supervisor: () => this.supervisor, processes: this.#processes,
      managed: (name: string) => !this.#unmanaged.has(name),
    }
    const cluster: Cluster = {
      hosts: () => [{
        host, role: 'ood', state: 'serving', reason: '', starts: 1, actors: actorsOf(parts, new Map()),
      }],
      kill: async (which, name) => {
        if (which !== host || name === undefined) throw new NotFound(`There is no such host: ${which}`)
        await this.supervisor.kill(name)
      },
    }
    this.supervisor = new Supervisor({
      platform: options.platform, zone: config.zone, host, device: identity.device, stores,
      devices: [{ host, role: 'ood', jwk: identity.device.public.jwk }], trace, kernelActors,
      offers: supervisionOf({ ...parts, cluster, observer: this.#observer, devices: async () => [host] }),
    }, (options.actors ?? catalogue)(stores, config))
  }

  async run(onProgress: (progress: Progress) => void): Promise<void> {
    const { supervisor } = this
    const marker = await bootedMarker(this.#files, this.#config.zone)
    await this.#files.makeFolder(file.stores, { mode: 0o700 })
    await supervisor.load()
    await this.#startVault(marker, onProgress)
    await this.#startSystemConfig(marker, onProgress)
    await supervisor.start('node-daemon', {
      env: { ...this.#documents(), ZONEWRIGHT_EPOCH: String(this.#identity.zone.epoch) },
      secrets: { 'device-key': this.#identity.device.exportPem() },
    })
    await supervisor.get(NodeDaemon).converge({}, { withinMs: 60_000 })
    this.#address = await supervisor.get(Gateway).address({})
    await sequenceComplete({
      steps: () => supervisor.steps(), trace: supervisor.trace, clock: this.#platform.clock, withinMs: limits.startMs,
      secondBoot: this.#secondBoot,
    })
  }

  running(bootMs: number, unlock: () => Promise<void>): RunningZone {
    const { supervisor } = this
    const [processes, observer] = [this.#processes, this.#observer]
    return {
      config: this.#config, identity: this.#identity, files: this.#files, address: this.#address, bootMs,
      secondBoot: this.#secondBoot, trace: supervisor.trace,
      steps: () => supervisor.steps(),
      list: () => supervisor.list(),
      get: (protocol) => supervisor.get(protocol),
      async firstPassword() {
        const { username, password, issued } = await supervisor.get(VerifyHub).issueFirstPassword({})
        return issued ? { username, password } : undefined
      },
      start: (name, given) => {
        this.#unmanaged.add(name)
        return supervisor.start(name, given)
      },
      kill: (name) => supervisor.kill(name),
      expose: (name, peer) => supervisor.expose(name, peer),
      async stop() {
        try {
          await processes.close()
          await supervisor.stopAll()
          await observer.close()
        } finally {
          await unlock()
        }
      },
    }
  }

  /** The ENV that the originals document: this device, and the zone's boot parameters. */
  #documents(): Record<string, string> {
    return { BUCKYOS_THIS_DEVICE: this.#identity.deviceDocument, BUCKYOS_ZONE_DOC: this.#identity.zoneDocument }
  }

  async #startVault(marker: BootedMarker | undefined, onProgress: (progress: Progress) => void): Promise<void> {
    const { supervisor } = this
    await supervisor.start('vault', { env: bootedEnv(marker), secrets: { 'unseal-key': this.#identity.unsealKey } })
    const shares = await this.#recoveryShares()
    if (!shares && !marker) await this.#warnOfLostShares()
    if (!shares) return
    await this.#files.makeFolder(file.recoveryShares, { mode: 0o700 })
    for (const [index, share] of shares.entries()) {
      const name = `${file.recoveryShares}/share-${index + 1}.txt`
      await this.#files.write(name, new TextEncoder().encode(`${share}\n`), { mode: 0o600 })
    }
    onProgress({ type: 'shares', path: this.#files.path(file.recoveryShares), count: shares.length })
  }

  /** Given once, by the incarnation that made the vault. */
  async #recoveryShares(): Promise<readonly string[] | undefined> {
    try {
      return (await this.supervisor.get(Vault).takeRecoveryShares({})).shares
    } catch (error) {
      if (error instanceof NotFound) return undefined
      throw error
    }
  }

  /** Some may be nowhere, if the start that made the vault was killed before it had written them all. */
  async #warnOfLostShares(): Promise<void> {
    const { shares } = await this.supervisor.get(Vault).status({})
    const written = (await this.#files.list(file.recoveryShares)).length
    if (written >= shares) return
    this.supervisor.trace.emit('log', {
      host: this.#config.host, actor: 'vault', at: this.#platform.clock.now(), level: 'warn',
      message: 'An earlier start was ended before it had written all recovery shares: the others are lost. '
        + `Keep a copy of ${file.unsealKey}, or start anew in another folder`,
      fields: { written, shares, path: this.#files.path(file.recoveryShares) },
    })
  }

  async #startSystemConfig(marker: BootedMarker | undefined, onProgress: (progress: Progress) => void): Promise<void> {
    const { supervisor } = this
    await supervisor.start('system-config', { env: { ...this.#documents(), ...bootedEnv(marker) } })
    const systemConfig = supervisor.get(SystemConfig)
    const { phase, store, bootRevision } = await systemConfig.trust({})
    if (marker) assertSameStore(marker, store, this.#files.path(file.stores))
    this.#secondBoot = phase === 'normal'
    const revision = this.#secondBoot ? bootRevision : await this.#bootSchedule()
    if (this.#secondBoot) onProgress({ type: 'boot-skipped', revision })
    if (!marker) await writeBootedMarker(this.#files, { zone: this.#config.zone, store: store.id, revision })
  }

  /** Seed: BOOT 2. The scheduler's ENV carries a token made with this device's private key. */
  async #bootSchedule(): Promise<number> {
    const { supervisor } = this
    const env = { ...this.#documents(), SCHEDULER_SESSION_TOKEN: this.#bootToken() }
    await supervisor.start('boot-scheduler', { env })
    const { revision } = await supervisor.get(BootScheduler).bootSchedule({})
    await supervisor.stop('boot-scheduler')
    return revision
  }

  #bootToken(): string {
    const { clock, random } = this.#platform
    const iat = Math.floor(clock.now() / 1000)
    return signToken(this.#identity.device, {
      iss: this.#config.host, sub: 'scheduler', aud: ['system-config'], iat, exp: iat + tokenLifetimeSeconds.boot,
      jti: toBase64url(random.fork('boot token').bytes(16)), token_use: 'boot', appid: 'scheduler',
      runtime_type: 'kernel-service', epoch: this.#identity.zone.epoch,
    })
  }
}

/** What was booted may never be found empty again. */
const bootedEnv = (marker: BootedMarker | undefined): Readonly<Record<string, string>> =>
  (marker ? { ZONEWRIGHT_BOOTED: '1' } : {})
