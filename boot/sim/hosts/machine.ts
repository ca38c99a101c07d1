import { joinStep } from '../../../actors/join-steps.ts'
import { ZonewrightError } from '../../../runtime/errors.ts'
import { limits } from '../../../runtime/limits.ts'
import type { SimulatedProcess } from '../../../runtime/sim/simulate.ts'
import { createTrace } from '../../../runtime/trace.ts'
import { deferred, pause, type Deferred } from '../../../runtime/within.ts'
import { JoinTokenUsed } from '../../errors.ts'
import { HOST_FILE } from '../../host/folder.ts'
import { openJoining } from '../../host/joining.ts'
import { runHost, type RunningHost } from '../../host/run.ts'
import { file } from '../../init.ts'
import { join, type Joined } from '../../join/join-client.ts'
import { readTokenFile, tokenFileOf } from '../../join/token-file.ts'
import { OOD, type SimulatedCluster } from '../cluster.ts'
import type { Made } from './operator.ts'

/** Of the control plane's TLS port, and of the gateway on each host. */
export const JOIN_PORT = 50_051
export const GATEWAY_PORT = 8_080
const FOLDER = 'host'
const CONFIG = `http: { port: ${GATEWAY_PORT} }\nprocesses: { allow: ["/opt/zone/*"] }\nlabels: { machine: joined }\n`
const START_AGAIN_MS = 1_000

export interface MachineOptions {
  readonly cluster: SimulatedCluster
  /** Of the machine. */
  readonly name: string
  /** As whom it joins. */
  readonly host: string
  readonly made: Made
  /** A token gave it a certificate; `kid` is its device key. */
  readonly onRedeemed: (token: string, kid: string) => void
  /** Its request leaves now. */
  readonly onAsks?: () => void
  /** Another has joined by its token. It waits for the next one. */
  readonly onRobbed?: () => void
}

/** A machine outside the zone's own process: joins by its token, and is kept running as by a service manager. */
export class Machine {
  readonly name: string
  readonly host: string
  /** What its process waits for: it has no token that is any good. */
  state: 'joins' | 'runs' | 'robbed' | 'off' = 'joins'
  running: RunningHost | undefined
  /** True milliseconds since when its process runs. */
  began = 0
  /** Processes so far. */
  starts = 0
  readonly #options: MachineOptions
  #made: Made
  #process: SimulatedProcess | undefined
  #stopping = false
  #again: Deferred<void> = deferred()
  #living: Promise<void> = Promise.resolve()

  constructor(options: MachineOptions) {
    this.#options = options
    this.name = options.name
    this.host = options.host
    this.#made = options.made
  }

  get alive(): boolean {
    return this.#process?.alive ?? false
  }

  start(): void {
    const { world } = this.#options.cluster
    this.#living = this.#live()
    this.#living.catch((error: Error) => world.fail(error))
  }

  /** As `kill -9`, or a loss of power. */
  kill(): void {
    this.running = undefined
    this.#process?.kill()
  }

  /** Where its token was another's. */
  give(made: Made): void {
    this.#made = made
    this.state = 'joins'
    this.#again.resolve()
  }

  async stop(): Promise<void> {
    this.#stopping = true
    this.#again.resolve()
    this.kill()
    await this.#living
  }

  async #live(): Promise<void> {
    const { world } = this.#options.cluster
    const files = await world.openFolder(this.name, FOLDER)
    await files.write(file.config, new TextEncoder().encode(CONFIG), { mode: 0o600 })
    while (!this.#stopping) {
      const main = this.#process = world.startProcess(this.name)
      this.starts++
      const over = deferred<void>()
      main.onEnd(() => over.resolve())
      void this.#runIn(main).catch((error: unknown) => {
        // One that was killed says no more
        if (!main.alive) return
        if (!(error instanceof ZonewrightError)) return world.fail(error as Error)
        world.note(`${this.name} ended: ${error.code}`)
        if (error instanceof JoinTokenUsed) this.state = 'robbed'
        main.kill()
      })
      await over.promise
      this.running = undefined
      if (this.state === 'robbed' && !this.#stopping) {
        this.#again = deferred()
        this.#options.onRobbed?.()
        await this.#again.promise
      }
      await pause(world.clock, START_AGAIN_MS)
    }
    this.state = 'off'
  }

  async #runIn(main: SimulatedProcess): Promise<void> {
    const { cluster } = this.#options
    const files = await main.platform.host.openFolder(FOLDER)
    const joined = await files.read(HOST_FILE) ? undefined : await this.#join(main)
    const trace = createTrace()
    // For who looks for secrets in what is told
    trace.on('log', (event) => cluster.trace.emit('log', event))
    trace.on('denial', (event) => cluster.trace.emit('denial', event))
    const running = await runHost({
      platform: main.platform, folder: FOLDER, trace, ...(joined ? { certificate: joined.tls } : {}),
    })
    if (!main.alive) return
    this.began = cluster.world.nowUs / 1_000
    this.state = 'runs'
    this.running = running
  }

  async #join({ platform }: SimulatedProcess): Promise<Joined> {
    const { onRedeemed, onAsks } = this.#options
    const made = this.#made
    const folder = await openJoining(platform, FOLDER, { host: this.host })
    try {
      const given = readTokenFile(tokenFileOf(made), 'token')
      const place = { hostname: OOD, port: JOIN_PORT }
      const joined = await join({
        platform, ...place, given, host: this.host, roots: made.roots, device: folder.device,
        attempts: limits.joinAttempts, attemptMs: limits.joinAttemptMs, signal: new AbortController().signal,
        onStep: (number) => void (number === joinStep.requestReceived && onAsks?.()), onRetry() {},
      })
      onRedeemed(made.record.id, folder.device.public.kid)
      await folder.keep(joined, place, given)
      return joined
    } finally {
      await folder.close()
    }
  }
}
