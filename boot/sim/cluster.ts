import { bootStep } from '../../actors/boot-steps.ts'
import { Unavailable, ZonewrightError } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import type { Platform } from '../../runtime/platform/ports.ts'
import type { RemoteActor } from '../../runtime/remote.ts'
import type { Programs } from '../../runtime/sim/programs.ts'
import type { SimulatedProcess, World } from '../../runtime/sim/simulate.ts'
import type { StoreLocation } from '../../runtime/store/location.ts'
import { createTrace, type Trace } from '../../runtime/trace.ts'
import { deferred, pause, within, type Deferred } from '../../runtime/within.ts'
import { defaultConfig } from '../config.ts'
import { Hosts } from '../hosts.ts'
import { bootSequence } from '../sequences.ts'
import { up, type RunningZone } from '../up.ts'

export const OOD = defaultConfig.host
/** Whether a host of that name has the control plane. */
export const isOod = (host: string): boolean => /^ood\d+$/.test(host)
export const FOLDER = 'zone'
/** Where people sit: no host of the zone. */
export const DESK = 'desk'
const CONFIG = 'http: { hostname: 0.0.0.0, port: 8080 }\nprocesses: { allow: ["/opt/zone/*"] }\n'
  + 'capacity: { memoryBytes: 1000, processors: 400 }\nlabels: { machine: simulated }\n'
const PORT = 8080
/** Milliseconds that a host needs to find out that a channel to another one does not come up. */
const DIAL_MS = 5_000
/** Milliseconds before a service manager starts a process again that has ended. */
const START_AGAIN_MS = 1_000

/** One process of the zone, from its start to its end. */
export interface Boot {
  readonly number: number
  readonly main: SimulatedProcess
  readonly hosts: Hosts
  readonly began: number
  /** Documented steps of the first host in this process, as they were marked. */
  readonly steps: Set<number>
  /** The last of them; 0 before the first. */
  step: number
  state: 'boots' | 'serves' | 'failed' | 'stopped' | 'killed'
  zone: RunningZone | undefined
  error: ZonewrightError | undefined
}

export interface ClusterOptions {
  /** Where the first host's stores are. Default: in its folder. */
  readonly stores?: StoreLocation | undefined
  /** Lines of its config beside those of every simulated zone. */
  readonly config?: string | undefined
  /** Hosts with the control plane; their stores are in an etcd. Default: one. */
  readonly oods?: number
}

/** A zone of simulated hosts, each a machine of its own, kept running as a service manager would. */
export class SimulatedCluster {
  readonly world: World
  readonly hostNames: readonly string[]
  /** Those with the control plane, the first host first. */
  readonly oodNames: readonly string[]
  /** One for all processes: a listener sees the whole run. */
  readonly trace: Trace = createTrace()
  readonly boots: Boot[] = []
  /** Told after each step of the first host, and of the beginning of each boot as step 0. */
  readonly onStep: ((step: number) => void)[] = []
  /** Told of each process of the zone as it begins. */
  readonly onBoot: ((boot: Boot) => void)[] = []
  /** That its hosts can run. */
  readonly programs: Programs
  /** Of the gateway, for who sits at the desk. */
  readonly port = PORT
  readonly #nodes: number
  readonly #more: ClusterOptions
  readonly #processes = new Map<string, SimulatedProcess>()
  #stopping = false
  #current: Boot | undefined
  #running: Promise<void> = Promise.resolve()
  #over: Deferred<void> | undefined

  constructor(world: World, nodes: number, programs: Programs, more: ClusterOptions = {}) {
    this.#more = more
    this.world = world
    this.programs = programs
    this.#nodes = nodes
    this.oodNames = [OOD, ...Array.from({ length: (more.oods ?? 1) - 1 }, (_, index) => `ood${index + 2}`)]
    this.hostNames = [...this.oodNames, ...Array.from({ length: nodes }, (_, index) => `node${index + 1}`)]
    this.trace.on('step', ({ sequence, number, host }) => {
      const boot = this.#current
      if (sequence !== bootSequence.name || host !== OOD || !boot) return
      boot.steps.add(number)
      this.#reached(boot, number)
    })
    // The first host may be started again within a process, and boots again then
    this.trace.on('host', ({ host, state, starts }) => {
      if (host === OOD && state === 'starting' && starts > 1 && this.#current) this.#reached(this.#current, 0)
    })
  }

  /** The process that runs, or ran last. */
  get boot(): Boot | undefined {
    return this.#current
  }

  get zone(): RunningZone | undefined {
    return this.#current?.state === 'serves' ? this.#current.zone : undefined
  }

  get step(): number {
    return this.#current?.step ?? 0
  }

  /** Keeps it running until `stop`. */
  start(): void {
    this.#running = this.#keepRunning()
    this.#running.catch((error: Error) => this.world.fail(error))
  }

  /** In order, as Ctrl-C does. */
  async stop(): Promise<void> {
    this.#stopping = true
    await this.#stopNow()
    this.#over?.resolve()
    await this.#running
  }

  /**
   * It is started again: an upgrade, or somebody at the wrong moment. What serves stops in order; what still boots is
   * ended where it stands, as by Ctrl-C. Settles when it is down; undefined when there is nothing to stop.
   */
  restart(): Promise<void> | undefined {
    const boot = this.#current
    if (boot?.state !== 'serves' && boot?.state !== 'boots') return undefined
    return this.#stopNow().then(() => {
      if (this.#current === boot) this.#over?.resolve()
    })
  }

  /** The power goes, everywhere at once. False when nothing was on. */
  powerOff(): boolean {
    const boot = this.#current
    if (boot && (boot.state === 'boots' || boot.state === 'serves')) boot.state = 'killed'
    const on = [...this.#processes.values()].filter(({ alive }) => alive)
    for (const each of on) each.kill()
    return on.length > 0
  }

  /** A machine loses its power and comes back; the others go on. False when it does not run. */
  crash(host: string): boolean {
    const boot = this.#current
    if (!boot?.main.alive) return false
    const { hosts } = boot
    // Who stops the zone speaks to each host until it has stopped
    if (hosts.stopping) return false
    const state = hosts.hosts().find((each) => each.host === host)?.state
    if (state !== 'serving' && state !== 'starting') return false
    // Its threads and programs end at once; its main thread only tells that, and ends when the host starts again
    hosts.kill(host).catch(() => {})
    return true
  }

  async #stopNow(): Promise<void> {
    const boot = this.#current
    if (boot?.state !== 'serves' || !boot.zone) return void this.powerOff()
    boot.state = 'stopped'
    const late = (): Error => new Unavailable('The zone did not stop')
    await within(this.world.clock, 2 * limits.startMs, boot.zone.stop(), late).catch((error: unknown) => {
      // Whoever waits for it too long ends it
      if (boot.main.alive && !(error instanceof ZonewrightError)) throw error
    })
    this.powerOff()
  }

  async #keepRunning(): Promise<void> {
    const jitter = this.world.random.fork('service manager')
    while (!this.#stopping) {
      await this.#runOnce()
      const [draw = 0] = jitter.bytes(1)
      if (!this.#stopping) await pause(this.world.clock, START_AGAIN_MS * (0.5 + draw / 256))
    }
  }

  async #runOnce(): Promise<void> {
    const { world } = this
    const over = this.#over = deferred<void>()
    const main = world.startProcess(OOD)
    const hosts = new Hosts()
    const boot: Boot = {
      number: this.boots.length + 1, main, hosts, began: world.nowUs / 1_000, steps: new Set(), step: 0,
      state: 'boots', zone: undefined, error: undefined,
    }
    main.onEnd(() => {
      if (boot.state === 'boots' || boot.state === 'serves') boot.state = 'killed'
      over.resolve()
    })
    this.#processes.set(OOD, main)
    this.boots.push(boot)
    this.#current = boot
    for (const listener of this.onBoot) listener(boot)
    this.#reached(boot, 0)
    if (main.alive) void this.#bootIn(boot, over)
    await over.promise
    this.powerOff()
  }

  async #bootIn(boot: Boot, over: Deferred<void>): Promise<void> {
    const { stores, config = '', oods = 1 } = this.#more
    try {
      boot.zone = await up({
        platform: boot.main.platform, folder: FOLDER, config: { path: 'zone.yaml', text: `${CONFIG}${config}` },
        nodes: this.#nodes, oods, trace: this.#traceOf(boot), hosts: boot.hosts,
        platformOf: (host) => this.#startHost(host),
        between: (from, to, actor) => this.#across(from, to, actor),
        ...(stores ? { stores } : {}),
      })
      if (boot.state === 'boots') boot.state = 'serves'
    } catch (error) {
      if (boot.state !== 'boots') return
      if (!(error instanceof ZonewrightError)) return this.world.fail(error as Error)
      boot.error = error
      boot.state = 'failed'
      over.resolve()
    }
  }

  /** A process that was killed takes its listeners with it. */
  #traceOf(boot: Boot): Trace {
    const trace = createTrace()
    trace.on('*', (type, event) => {
      if (this.#current === boot) this.trace.emit(type, event as never)
    })
    return trace
  }

  /** Each start of a host is a process of its own on its own machine. */
  #startHost(host: string): Platform {
    this.#processes.get(host)?.kill()
    const main = this.world.startProcess(host)
    this.#processes.set(host, main)
    return main.platform
  }

  /** What a host learns of another one comes over the network. */
  #across(from: string, to: string, actor: RemoteActor): RemoteActor {
    const { world } = this
    const late = (): Error => new Unavailable(`${to} does not answer`)
    const dial = (here: string, there: string): Promise<void> =>
      within(world.clock, DIAL_MS, world.cross(here, there), late)
    return {
      open: async (caller) => {
        await dial(from, to)
        const channel = await actor.open(caller)
        await dial(to, from)
        return { ...channel, gone: channel.gone.then(() => world.cross(to, from)) }
      },
    }
  }

  #reached(boot: Boot, step: number): void {
    boot.step = step
    for (const listener of this.onStep) listener(step)
  }
}

/** Of the documented boot, with 0 for what is before the first. */
export const bootSteps: readonly number[] = [0, ...Object.values(bootStep)]
