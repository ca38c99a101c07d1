import type { ActorDefinition } from '../actor.ts'
import { messageOf, StartFailed } from '../errors.ts'
import type {
  Files, HttpRequest, HttpResponse, Keys, Platform, SpawnedWorker, SpawnOptions, Stores,
} from '../platform/ports.ts'
import { createWorkerControl } from '../worker-control.ts'
import type { WorkerEvent } from '../worker.ts'
import { remoteControl } from './control.ts'
import { delays } from './delays.ts'
import { Disk, type OnFile } from './disk.ts'
import type { SimulatedEtcd } from './etcd.ts'
import { HttpPorts } from './http.ts'
import { ChannelEnd, type Medium } from './network.ts'
import { programPorts, type Programs } from './programs.ts'
import { Hold } from './queue.ts'
import type { SeededRandom } from './random.ts'
import { SocketPorts } from './sockets.ts'
import { createLane, type Schedule } from './schedule.ts'
import { DiskStores, type HostFaults, type OnCommit } from './stores.ts'
import { clockOf, HostClock } from './host-clock.ts'
import { SimulatedThread, type Machinery } from './thread.ts'
import { followMove } from '../store/location.ts'

/** A message between a supervisor and one of its workers, on its way. */
export interface ControlMessage {
  /** A method of `WorkerControl`, the same with `-answer`, `event`, or `exit`. */
  readonly kind: string
  readonly host: string
  readonly worker: string
  /** Where it is about one of the actors in the worker. */
  readonly actor: string | undefined
}
/** Microseconds that it takes; undefined leaves them to the seed. */
export type ControlDelay = (message: ControlMessage) => number | undefined

/** What all hosts of one run share. */
export interface Shared {
  readonly schedule: Schedule
  readonly medium: Medium
  readonly random: SeededRandom
  readonly keys: Keys
  /** Default exports of the actors' modules by URL. */
  readonly modules: ReadonlyMap<string, ActorDefinition>
  readonly programs: Programs | undefined
  readonly etcd: SimulatedEtcd | undefined
  /** What is said to lie in a folder lies in it as well. */
  readonly foldersInEtcd: boolean
  /** Numbers processes and channels. */
  readonly next: () => number
  readonly onCommit: OnCommit
  readonly onFile: OnFile
  readonly controlDelayUs: ControlDelay
}

/** One machine: its disk and its ports outlive its processes. */
export class SimulatedHost implements Machinery {
  readonly name: string
  readonly clock = new HostClock()
  readonly hold = new Hold()
  /** Set from outside; all its processes feel them. */
  readonly faults: HostFaults = { disk: 'well', slowness: 1, torn: undefined }
  /** How much of a torn write is on the disk: another share each time. */
  readonly tears: SeededRandom
  /** Those that live, by the name of their actors' thread. */
  readonly workers = new Map<string, { kill(reason: string): void }>()
  readonly #shared: Shared
  readonly #disk: Disk
  readonly #stores: DiskStores
  readonly #ports: HttpPorts
  /** Those that do not speak HTTP. */
  readonly sockets: SocketPorts

  constructor(name: string, shared: Shared) {
    const { schedule, medium, random, keys, onCommit, onFile } = shared
    this.name = name
    this.#shared = shared
    this.tears = random.fork(`torn ${name}`)
    const own = (path: string): string => `${name}:${path}`
    this.#disk = new Disk(schedule, random.fork(`disk ${name}`), this.faults, (path, contents, mode) =>
      onFile(own(path), contents, mode))
    this.#stores = new DiskStores(schedule, random.fork(`stores ${name}`), this.faults, (path, changes) =>
      onCommit(own(path), changes), (path) => this.#disk.hasFolder(path))
    this.#ports = new HttpPorts(name, medium, random.fork(`ports ${name}`), keys)
    this.sockets = new SocketPorts(name, medium, random.fork(`sockets ${name}`))
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
    const { etcd, foldersInEtcd } = this.#shared
    const inFolder = (folder: string): Stores =>
      (foldersInEtcd ? etcdOf(etcd).in(`/${this.name}${folder}`, thread) : this.#stores.in(folder, thread))
    return {
      transport: { ...this.#ports.transportOf(thread), ...this.sockets.transportOf(thread) },
      stores(location) {
        if (location.type === 'etcd') return etcdOf(etcd).in(location.prefix, thread)
        const { open } = inFolder(location.path)
        return { open: (name) => followMove(location, name, () => open(name), (to) => this.stores(to).open(name)) }
      },
    }
  }
}

/** @throws StartFailed */
function etcdOf(etcd: SimulatedEtcd | undefined): SimulatedEtcd {
  if (etcd) return etcd
  throw new StartFailed('The simulation has no etcd')
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
    this.#thread = new SimulatedThread(name, this.#random.fork('thread'), (error) => schedule.fail(error), host)
    this.#thread.onEnd(parent.onEnd(() => this.kill()))
    this.platform = this.#platformOf(this.#thread, this.#random.fork('random'), env)
  }

  get alive(): boolean {
    return this.#thread.alive
  }

  /** Runs when it has ended, however that came; at once when it has. */
  onEnd(listener: () => void): void {
    this.#thread.onEnd(listener)
  }

  /** As `kill -9`: no more of it happens, its workers end with it, its files stay as they are. */
  kill(): void {
    this.#thread.end()
  }

  #platformOf(thread: SimulatedThread, random: SeededRandom, env: Readonly<Record<string, string>>): Platform {
    const { schedule, medium, keys, next } = this.#shared
    return {
      clock: clockOf(schedule, thread),
      random,
      keys,
      host: {
        runtime: 'simulator',
        processId: this.id,
        usage: () => ({ residentBytes: 0, heapBytes: 0, cpuSeconds: 0 }),
        openFolder: (path) => this.#host.openFolder(path, thread, this.id),
        env: (name) => env[name],
        lookup: async () => [],
        hold: () => () => {},
        restrictsWorkers: false,
        spawn: (options) => this.#spawn(thread, options),
        ...programPorts(this.#host, this.#shared, this.id, this.#thread, thread),
      },
      channelPair: () => ChannelEnd.pair(`#${next()}`, medium, this.#random, thread),
      openChannel: (end) => {
        const channelEnd = end as ChannelEnd
        channelEnd.moveTo(thread)
        return channelEnd.open('port')
      },
      ...this.#host.portsOf(thread),
    }
  }

  #spawn(parent: SimulatedThread, options: SpawnOptions): SpawnedWorker {
    const { schedule, next, modules, controlDelayUs } = this.#shared
    const random = this.#random.fork(`worker ${options.name} ${next()}`)
    const toParent = createLane(random)
    // Drawn in any case: who sets one delay leaves all others as they were
    const delayUs = (kind: string, actor?: string): number => {
      const drawn = random.within(delays.control)
      return controlDelayUs({ kind, host: this.#host.name, worker: options.name, actor }) ?? drawn
    }
    const tell = (kind: string, payload: string, task: () => void, actor?: string): void => schedule.inOrder({
      to: parent, lane: toParent, delayUs: delayUs(kind, actor), kind, from: thread.name, payload, task,
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
    const thread: SimulatedThread = new SimulatedThread(
      name, random, (error) => die(messageOf(error)), this.#host,
    )
    thread.crash = die
    thread.onEnd(parent.onEnd(() => thread.end()))
    const { workers } = this.#host
    const living = { kill: die }
    workers.set(options.name, living)
    thread.onEnd(() => void (workers.get(options.name) === living && workers.delete(options.name)))
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
      control: remoteControl({ real, schedule, delayUs, parent, thread, toWorker, tell, modules }),
      onEvent: (listener) => void eventListeners.push(listener),
      onExit: (listener) => (exitReason === undefined ? void exitListeners.push(listener) : listener(exitReason)),
      terminate: async () => die('terminated'),
    }
  }
}
