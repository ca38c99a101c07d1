import { Enrolment } from '../actors/enrolment/protocol.ts'
import { Gateway } from '../actors/gateway/protocol.ts'
import { meansEnv } from '../actors/node-daemon/means.ts'
import { NodeDaemon } from '../actors/node-daemon/protocol.ts'
import { BootScheduler } from '../actors/scheduler/protocol.ts'
import { SystemConfig } from '../actors/system-config/protocol.ts'
import { INIT_ENV } from '../actors/init-steps.ts'
import { kernelActors, kernelRuntimeTypes } from '../actors/trust-matrix.ts'
import { Vault } from '../actors/vault/protocol.ts'
import { mayCrash } from '../runtime/fault-points.ts'
import { limits } from '../runtime/limits.ts'
import { createHook } from '../runtime/process/hook.ts'
import { createProcesses, type Processes } from '../runtime/process/processes.ts'
import type { ActorSpec } from '../runtime/spec.ts'
import { Supervision } from '../runtime/supervision.ts'
import { Supervisor } from '../runtime/supervisor.ts'
import { toBase64url } from '../runtime/trust/base64url.ts'
import { signToken, tokenLifetimeSeconds } from '../runtime/trust/token.ts'
import type { TrustedDevice } from '../runtime/worker.ts'
import { assertSameStore, bootedMarker, writeBootedMarker, type BootedMarker } from './booted.ts'
import { sequenceComplete } from './complete.ts'
import { enrols } from './catalogue.ts'
import type { HostRun } from './hosts.ts'
import { file } from './init.ts'
import type { Migrations } from './migrate/migrations.ts'
import { keepRecoveryShares } from './recovery-shares.ts'
import { supervisionOf } from './supervision.ts'
import { stopUnmanaged } from './unmanaged.ts'
import type { Progress } from './up.ts'
import type { Zone } from './zone.ts'

export interface OodOptions {
  readonly zone: Zone
  /** It makes the zone where there is none. Others join one that is there. */
  readonly isFirst: boolean
  readonly actors: (stores: string, etcd: readonly string[]) => readonly ActorSpec[]
  /** Owner-signed documents of the nodes that the zone begins with. */
  readonly nodeDocuments: readonly string[]
  /** What the node daemon neither starts nor stops: the control plane, and what was started by hand. */
  readonly unmanaged: ReadonlySet<string>
  readonly migrations: Migrations
  readonly onProgress: (progress: Progress) => void
}

/** What the control plane itself needs to run; the node config never names these. */
export const CONTROL: readonly string[] = ['vault', 'system-config', 'boot-scheduler', 'node-daemon']

/**
 * One start of a host that runs the control plane, by the sequence that `sequences.ts` documents. Killed anywhere, the
 * next one goes on from what is durable.
 */
export class Ood implements HostRun {
  readonly processes: Processes
  readonly versions = new Map<string, string>()
  /** It found `boot/config`. */
  secondBoot = false
  /** As last registered. */
  devices: readonly TrustedDevice[] = []
  readonly #options: OodOptions
  readonly #supervisor: Supervisor

  constructor(options: OodOptions) {
    this.#options = options
    const { zone, actors } = options
    const { platform, files, identity, config, trace, hosts, observer, knownHosts } = zone
    const { host } = config
    const stores = files.path(file.stores)
    this.processes = createProcesses({
      platform, host, trace, allow: config.processes.allow, folder: files.path(file.services), address: zone.url,
    })
    this.#supervisor = new Supervisor({
      platform, zone: config.zone, host, device: identity.device, stores: zone.stores, trace, kernelActors,
      kernelRuntimeTypes,
      devices: [{ host, role: 'ood', jwk: identity.device.public.jwk }],
      spans: config.telemetry.otlp !== undefined,
      remote: (protocol) => (enrols(config) && isElsewhere(protocol)
        ? this.#supervisor.carriedBy(Enrolment.name)(protocol) : undefined),
      offers: supervisionOf({
        host, supervisor: this.supervisor, processes: this.processes, managed: this.managed, versions: this.versions,
        cluster: hosts, observer, knownHosts, platform, folder: files.path('.'), hostname: config.http.hostname,
        migrations: options.migrations, joinHook: joinHookOf(config, platform, files.path('.')),
        trust: (devices) => {
          this.devices = devices
          this.#supervisor.trust(devices)
        },
      }),
    }, actors(stores, zone.storesAt))
  }

  readonly supervisor = (): Supervisor => this.#supervisor

  readonly managed = (name: string): boolean => !this.#options.unmanaged.has(name)

  async run(signal: AbortSignal): Promise<void> {
    const { zone: { platform, files, config, identity, trace } } = this.#options
    stopUnmanaged({ host: config.host, trace, processes: this.processes, signal })
    const supervisor = this.#supervisor
    const marker = await bootedMarker(files, config.zone)
    await files.makeFolder(file.stores, { mode: 0o700 })
    await files.makeFolder(file.audit, { mode: 0o700 })
    if (enrols(config)) await files.makeFolder(file.run, { mode: 0o700 })
    await supervisor.load()
    await this.#startVault(marker)
    if (config.vault) await supervisor.start('vault-listener')
    await this.#startSystemConfig(marker)
    await supervisor.start('node-daemon', {
      env: { ...this.#documents(), ...meansEnv(config), ZONEWRIGHT_EPOCH: String(identity.zone.epoch) },
      secrets: { 'device-key': identity.device.exportPem() },
    })
    await supervisor.get(NodeDaemon).converge({ withoutPrograms: true }, { withinMs: 60_000 })
    // The zone has no other way in: without it nothing is ready
    await supervisor.get(Gateway).address({})
    await sequenceComplete({
      steps: () => supervisor.steps(), trace, clock: platform.clock, withinMs: limits.startMs,
      secondBoot: this.secondBoot,
    })
  }

  /** The ENV that the originals document: this device, and the zone's boot parameters. */
  #documents(): Record<string, string> {
    const { deviceDocument, zoneDocument } = this.#options.zone.identity
    return { BUCKYOS_THIS_DEVICE: deviceDocument, BUCKYOS_ZONE_DOC: zoneDocument }
  }

  async #startVault(marker: BootedMarker | undefined): Promise<void> {
    const { zone: { files, identity, observer, etcd }, onProgress } = this.#options
    const secrets = { 'unseal-key': identity.unsealKey }
    const env = { ...this.#documents(), ...bootedEnv(marker), ...(etcd ? { [INIT_ENV]: 'start' } : {}) }
    await this.#supervisor.start('vault', { env, secrets })
    const shares = await keepRecoveryShares(this.#supervisor, files, (share) => observer.conceal(share))
    if (!shares && !marker && this.#options.isFirst) await this.#warnOfLostShares()
    if (shares) onProgress({ type: 'shares', ...shares })
    await etcd?.vaultServes(this.#supervisor)
  }

  /** Some may be nowhere, if the start that made the vault was killed before it had written them all. */
  async #warnOfLostShares(): Promise<void> {
    const { files, config, platform, trace } = this.#options.zone
    const { shares } = await this.#supervisor.get(Vault).status({})
    const written = (await files.list(file.recoveryShares)).length
    if (written >= shares) return
    trace.emit('log', {
      host: config.host, actor: 'vault', at: platform.clock.now(), level: 'warn',
      message: 'An earlier start was ended before it had written all recovery shares: the others are lost. '
        + `Keep a copy of ${file.unsealKey}, or start anew in another folder`,
      fields: { written, shares, path: files.path(file.recoveryShares) },
    })
  }

  async #startSystemConfig(marker: BootedMarker | undefined): Promise<void> {
    const { zone: { files, config }, onProgress } = this.#options
    await this.#supervisor.start('system-config', { env: { ...this.#documents(), ...bootedEnv(marker) } })
    const { phase, store, bootRevision } = await this.#supervisor.get(SystemConfig).trust({})
    if (marker) assertSameStore(marker, store, files.path(file.stores))
    this.secondBoot = phase === 'normal'
    const revision = this.secondBoot ? bootRevision : await this.#bootSchedule()
    mayCrash('boot/first-write-done')
    if (this.secondBoot) onProgress({ type: 'boot-skipped', revision })
    if (!marker) await writeBootedMarker(files, { zone: config.zone, store: store.id, revision })
  }

  /** Seed: BOOT 2. The scheduler's ENV carries a token made with this device's private key. */
  async #bootSchedule(): Promise<number> {
    const { nodeDocuments } = this.#options
    const env = {
      ...this.#documents(), SCHEDULER_SESSION_TOKEN: this.#bootToken(),
      ...(nodeDocuments.length === 0 ? {} : { ZONEWRIGHT_NODE_DOCS: nodeDocuments.join(' ') }),
    }
    await this.#supervisor.start('boot-scheduler', { env })
    const { revision } = await this.#supervisor.get(BootScheduler).bootSchedule({})
    await this.#supervisor.stop('boot-scheduler')
    return revision
  }

  #bootToken(): string {
    const { platform: { clock, random }, identity, config } = this.#options.zone
    const iat = Math.floor(clock.now() / 1000)
    return signToken(identity.device, {
      iss: config.host, sub: 'scheduler', aud: ['system-config'], iat, exp: iat + tokenLifetimeSeconds.boot,
      jti: toBase64url(random.fork('boot token').bytes(16)), token_use: 'boot', appid: 'scheduler',
      runtime_type: 'kernel-service', epoch: identity.zone.epoch,
    })
  }
}

/** What other hosts run: a control plane has its own of all the rest. */
const isElsewhere = (protocol: string): boolean =>
  protocol !== Supervision.name && !(kernelActors as readonly string[]).includes(protocol)

/** What was booted may never be found empty again. */
const bootedEnv = (marker: BootedMarker | undefined): Readonly<Record<string, string>> =>
  (marker ? { ZONEWRIGHT_BOOTED: '1' } : {})

const joinHookOf = ({ join: { hook } }: Zone['config'], platform: Zone['platform'], folder: string) =>
  (hook === undefined ? undefined : createHook({
    host: platform.host, clock: platform.clock, random: platform.random.fork('hooks of joins'), program: hook, folder,
  }))
