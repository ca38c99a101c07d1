import type { ActorDefinition } from '../actor.ts'
import { messageOf, StartFailed } from '../errors.ts'
import type {
  Files, HttpRequest, HttpResponse, Keys, Platform, SpawnedWorker, SpawnOptions,
} from '../platform/ports.ts'
import { createWorkerControl } from '../worker-control.ts'
import type { WorkerEvent } from '../worker.ts'
import { remoteControl } from './control.ts'
import { delays } from './delays.ts'
import { Disk } from './disk.ts'
import { HttpPorts } from './http.ts'
import { ChannelEnd } from './network.ts'
import { programPorts, type Programs } from './programs.ts'
import type { SeededRandom } from './random.ts'
import { createLane, type Schedule } from './schedule.ts'
import { DiskStores, type HostFaults } from './stores.ts'
import { clockOf, SimulatedThread } from './thread.ts'

/** What all hosts of one run share. */
export interface Shared {
  readonly schedule: Schedule
  readonly random: SeededRandom
  readonly keys: Keys
  /** Default exports of the actors' modules by URL. */
  readonly modules: ReadonlyMap<string, ActorDefinition>
  readonly programs: Programs | undefined
  /** Numbers processes and channels. */
  readonly next: () => number
}

/** One machine: its disk and its ports outlive its processes. */
export class SimulatedHost {
  readonly name: string
  /** Set from outside; all its processes feel them. */
  readonly faults: HostFaults = { wall: { stepMs: 0 }, disk: 'well' }
  readonly #shared: Shared
  readonly #disk: Disk
  readonly #stores: DiskStores
  readonly #ports: HttpPorts

  constructor(name: string, shared: Shared) {
    const { schedule, random } = shared
    this.name = name
    this.#shared = shared
    this.#disk = new Disk(schedule, random.fork(`disk ${name}`), this.faults)
    this.#stores = new DiskStores(schedule, random.fork(`stores ${name}`), this.faults)
    this.#ports = new HttpPorts(name, schedule, random.fork(`ports ${name}`))
  }

  /** Starts a process, whose main thread is the caller's code on the returned platform. */
  start(env: Readonly<Record<string, string>>, parent: SimulatedThread): SimulatedProcess {
    return new SimulatedProcess(this, this.#shared, env, parent)
  }

  openFolder(path: string, thread: SimulatedThread, processId: number): Promise<Files> {
    return this.#disk.openFolder(path, thread, processId)
  }

  request(from: SimulatedThread, port: number, request: HttpRequest): Promise<HttpResponse> {
    return this.#ports.request(from, port, request)
  }

  /** The ports that all threads of a host see the same way. */
  portsOf(thread: SimulatedThread): Pick<Platform, 'transport' | 'stores'> {
    return { transport: this.#ports.transportOf(thread), stores: (folder) => this.#stores.in(folder, thread) }
  }
}

export class SimulatedProcess {
  readonly id: number
  readonly platform: Platform
  readonly #host: SimulatedHost
  readonly #shared: Shared
  readonly #random: SeededRandom
  readonly #thread: SimulatedThread

  constructor(host: SimulatedHost, shared: Shared, env: Readonly<Record<string, string>>, parent: SimulatedThread) {
    const { schedule } = shared
    this.id = shared.next()
    this.#host = host
    this.#shared = shared
    this.#random = shared.random.fork(`process ${this.id}`)
    const name = `${host.name}/${this.id}`
    this.#thread = new SimulatedThread(name, this.#random.fork('thread'), (error) => schedule.fail(error))
    this.#thread.onEnd(parent.onEnd(() => this.kill()))
    this.platform = this.#platformOf(this.#thread, this.#random.fork('random'), env)
  }

  /** As `kill -9`: no more of it happens, its workers end with it, its files stay as they are. */
  kill(): void {
    this.#thread.end()
  }

  #platformOf(thread: SimulatedThread, random: SeededRandom, env: Readonly<Record<string, string>>): Platform {
    const { schedule, keys, next } = this.#shared
    return {
      clock: clockOf(schedule, thread, this.#host.faults.wall),
      random,
      keys,
      host: {
        runtime: 'simulator',
        processId: this.id,
        usage: () => ({ residentBytes: 0, heapBytes: 0, cpuSeconds: 0 }),
        openFolder: (path) => this.#host.openFolder(path, thread, this.id),
        env: (name) => env[name],
        hold: () => () => {},
        spawn: (options) => this.#spawn(thread, options),
        ...programPorts(this.#host, this.#shared, this.id, this.#thread, thread),
      },
      channelPair: () => ChannelEnd.pair(`#${next()}`, schedule, this.#random, thread),
      openChannel: (end) => {
        const channelEnd = end as ChannelEnd
        channelEnd.moveTo(thread)
        return channelEnd.open('port')
      },
      ...this.#host.portsOf(thread),
    }
  }

  #spawn(parent: SimulatedThread, options: SpawnOptions): SpawnedWorker {
    const { schedule, next, modules } = this.#shared
    const random = this.#random.fork(`worker ${options.name} ${next()}`)
    const toParent = createLane(random)
    const tell = (kind: string, payload: string, task: () => void): void => schedule.inOrder({
      to: parent, lane: toParent, delayUs: random.within(delays.control), kind, from: thread.name, payload, task,
    })
    const exitListeners: ((reason: string) => void)[] = []
    let exitReason: string | undefined
    const die = (reason: string): void => {
      if (!thread.alive) return
      thread.end()
      tell('exit', reason, () => {
        exitReason = reason
        for (const listener of exitListeners) listener(reason)
      })
    }
    const name = `${parent.name}/${options.name}`
    const thread: SimulatedThread = new SimulatedThread(name, random, (error) => die(messageOf(error)))
    thread.onEnd(parent.onEnd(() => thread.end()))
    const eventListeners: ((event: WorkerEvent) => void)[] = []
    const real = createWorkerControl({
      platform: this.#platformOf(thread, random.fork('random'), {}),
      load: async (url) => {
        const definition = modules.get(url)
        if (!definition) throw new StartFailed(`The simulation was given no such module: ${url}`)
        return definition
      },
      emit: (event) => {
        if (!thread.alive) return
        const text = JSON.stringify(event)
        tell('event', text, () => { for (const listener of eventListeners) listener(JSON.parse(text) as WorkerEvent) })
      },
    })
    const toWorker = createLane(random)
    toWorker.lastUs = schedule.nowUs + random.within(delays.workerStart)
    return {
      control: remoteControl({ real, schedule, random, parent, thread, toWorker, tell, modules }),
      onEvent: (listener) => void eventListeners.push(listener),
      onExit: (listener) => (exitReason === undefined ? void exitListeners.push(listener) : listener(exitReason)),
      terminate: async () => die('terminated'),
    }
  }
}
