import type { Clock, Files, HttpRequest, HttpResponse, Random } from '../platform/ports.ts'
import type { SimulatedEtcd } from './etcd.ts'
import { clockOf } from './host-clock.ts'
import { SimulatedHost, type Shared, type SimulatedProcess } from './host.ts'
import type { DiskState } from './stores.ts'
import type { SimulatedThread } from './thread.ts'
import type { Wire, WireCounts } from './wires.ts'

/** What a program may do to the simulated world from outside. */
export interface World {
  readonly clock: Clock
  readonly random: Random
  /** True microseconds since the start. */
  readonly nowUs: number
  /** Starts a process on a host; the first one makes the host. Its files outlive it. */
  startProcess(host: string, env?: Readonly<Record<string, string>>): SimulatedProcess
  /** As an operator would: @throws NotWritable */
  openFolder(host: string, path: string): Promise<Files>
  /** @throws Unavailable when nothing listens or the connection is cut */
  http(host: string, port: number, request: HttpRequest): Promise<HttpResponse>
  /** One datagram to a UDP port, and what comes back for it. */
  datagram(host: string, port: number, sent: Uint8Array): Promise<Uint8Array | undefined>
  /** A connection to a TCP port: all that is sent, then all that comes back. @throws Unavailable */
  converse(host: string, port: number, sent: readonly Uint8Array[]): Promise<readonly Uint8Array[]>
  /** Sets the wall clock of a host forward or, below zero, back. Its monotonic clock and its timers go on. */
  stepClock(host: string, ms: number): void
  /** From now on the clocks of a host run so many millionths too fast or, below zero, too slow. */
  driftClock(host: string, ppm: number): void
  /** How far the wall clock of a host is ahead of true time. */
  aheadMs(host: string): number
  /** From now on the host's disk takes no write: it is full, or it fails with EIO. `well` again, it takes them. */
  setDisk(host: string, state: DiskState): void
  /** From now on a write takes so many times as long. */
  slowDisk(host: string, slowness: number): void
  /** Of writes under way when a thread ends from now on, part is on the disk: a share drawn by the seed, or nothing. */
  tearWrites(host: string, torn: boolean): void
  /** Stands still, as by SIGSTOP: nothing happens there, and all of it happens when it goes on. */
  pause(host: string): void
  resume(host: string): void
  /** How it stands between two hosts, in this direction, from now on. */
  setWire(from: string, to: string, conditions: Partial<Wire>): void
  /** Every host reaches every other again. */
  healWires(): void
  readonly wireCounts: Readonly<WireCounts>
  /** Settles when a message from one host has come to another; never, where it is lost. */
  cross(from: string, to: string): Promise<void>
  /** Where the run has one. */
  readonly etcd: SimulatedEtcd | undefined
  /** Names of the worker threads that live on a host. */
  workers(host: string): readonly string[]
  /** Ends one at once. False when there is none. */
  killWorker(host: string, name: string, reason?: string): boolean
  /** A line of the trace, and so of the hash. */
  note(text: string): void
  /** Ends the run: something is as it must never be. */
  fail(error: Error): void
}

const PPM = 1_000_000

export function createWorld(observer: SimulatedThread, shared: Shared): World {
  const { schedule, random, medium } = shared
  const hosts = new Map<string, SimulatedHost>()
  const host = (name: string): SimulatedHost => {
    const found = hosts.get(name) ?? new SimulatedHost(name, shared)
    hosts.set(name, found)
    return found
  }
  const tell = (what: string): void => schedule.note(`${schedule.nowUs} ${what}`)
  return {
    clock: clockOf(schedule, observer),
    random: random.fork('program'),
    get nowUs() { return schedule.nowUs },
    startProcess: (name, env = {}) => host(name).start(env, observer),
    openFolder: (name, path) => host(name).openFolder(path, observer, 0),
    http: (name, port, request) => host(name).request(observer, port, request),
    datagram: (name, port, sent) => host(name).sockets.datagram(observer, port, sent),
    converse: (name, port, sent) => host(name).sockets.converse(observer, port, sent),
    stepClock(name, ms) {
      tell(`clock ${name} ${ms}`)
      host(name).clock.stepMs += ms
    },
    driftClock(name, ppm) {
      tell(`drift ${name} ${ppm}`)
      host(name).clock.drift(schedule.nowUs, ppm)
    },
    aheadMs: (name) => host(name).clock.aheadMs(schedule.nowUs),
    setDisk(name, state) {
      tell(`disk ${name} ${state}`)
      host(name).faults.disk = state
    },
    slowDisk(name, slowness) {
      tell(`slow ${name} ${slowness}`)
      host(name).faults.slowness = slowness
    },
    tearWrites(name, torn) {
      const { faults, tears } = host(name)
      faults.torn = torn ? () => (tears.word() % PPM) / PPM : undefined
    },
    pause(name) {
      tell(`pause ${name}`)
      host(name).hold.paused = true
    },
    resume(name) {
      tell(`resume ${name}`)
      schedule.release(host(name).hold)
    },
    setWire(from, to, conditions) {
      tell(`wire ${from} ${to} ${JSON.stringify(conditions)}`)
      medium.wires.set(from, to, conditions)
    },
    healWires() {
      tell('wires well')
      medium.wires.heal()
    },
    wireCounts: medium.wires.counts,
    etcd: shared.etcd,
    cross: (from, to) => new Promise((resolve) => medium.wires.carry(from, to, (delayUs) => schedule.inOrder({
      to: observer, lane: observer.lane, delayUs, kind: 'cross', from, payload: to, task: resolve,
    }))),
    workers: (name) => [...host(name).workers.keys()].sort(),
    killWorker(name, worker, reason = 'killed') {
      const found = host(name).workers.get(worker)
      if (found) tell(`kill ${name}/${worker}`)
      found?.kill(reason)
      return found !== undefined
    },
    note: (text) => tell(`note ${text}`),
    fail: (error) => schedule.fail(error),
  }
}
