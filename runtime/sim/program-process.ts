import { messageOf } from '../errors.ts'
import { limits } from '../limits.ts'
import type { Clock, HttpRequest, HttpResponse, HttpServer, Random, Transport } from '../platform/ports.ts'
import type { ProcessOptions } from '../platform/process-ports.ts'
import type { ProgramOutput, StreamName } from './program-output.ts'
import type { Range, SeededRandom } from './random.ts'
import { createLane, type Lane, type Schedule } from './schedule.ts'
import { clockOf } from './host-clock.ts'
import { SimulatedThread, type Machinery } from './thread.ts'

/** What a program sees of its process. */
export interface ProgramProcess {
  readonly id: number
  /** What follows the program in its command. */
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly clock: Clock
  readonly random: Random
  /** Prints it; a newline in it divides it. */
  line(stream: StreamName, text: string): void
  /** Nothing of it happens after this turn. */
  exit(code: number): void
  /** In place of what SIGTERM does by itself: to end the process. */
  onSignal(listener: (name: 'SIGTERM') => void): void
  /** HTTP on loopback. @throws PortInUse */
  serve(port: number, handler: (request: HttpRequest) => Promise<HttpResponse>): Promise<HttpServer>
  /** Another process with the same arguments, environment, user and output; of the same group, unless it leaves. */
  fork(run: Behaviour, options?: { readonly leavesGroup: boolean }): void
}

/** A program: its first turn. It runs until it exits or is ended; one that throws exits with code 1. */
export type Behaviour = (process: ProgramProcess) => void

export type Signal = 'SIGTERM' | 'SIGKILL'
export interface Exit { readonly code: number | undefined; readonly signal: string | undefined }

const SIGNAL_US: Range = [10, 200]
/** From its start to its first turn. */
const LOAD_US: Range = [1_000, 20_000]

export interface RunOptions {
  readonly id: number
  readonly host: string
  /** The process group that it belongs to: the id of its leader. */
  readonly group: number
  readonly spawned: ProcessOptions
  readonly run: Behaviour
  readonly schedule: Schedule
  readonly random: SeededRandom
  readonly output: ProgramOutput
  readonly on: Machinery
  readonly transportOf: (thread: SimulatedThread) => Transport
  readonly fork: (of: ProgramRun, run: Behaviour, leavesGroup: boolean) => void
  /** Runs once. */
  readonly onExit: (exit: Exit) => void
}

/** One process of a machine: a thread that nobody's end ends but its own. */
export class ProgramRun {
  readonly id: number
  readonly group: number
  readonly spawned: ProcessOptions
  readonly thread: SimulatedThread
  frozen = false
  readonly #options: RunOptions
  readonly #signals: Lane
  #printed: Readonly<Record<StreamName, string[]>> = { stdout: [], stderr: [] }
  #onSignal: ((name: 'SIGTERM') => void) | undefined
  /** What happened to it while it was frozen. */
  #held: (() => void)[] = []

  constructor(options: RunOptions) {
    const { id, group, host, spawned, schedule, random } = options
    this.id = id
    this.group = group
    this.spawned = spawned
    this.#options = options
    this.#signals = createLane(random)
    const name = `${host}/${spawned.command[0]}.${id}`
    this.thread = new SimulatedThread(name, random.fork('thread'), (error) => this.#uncaught(error), options.on)
    schedule.after({
      to: this.thread, lane: this.thread.lane, delayUs: random.within(LOAD_US), kind: 'load', from: '-',
      task: () => this.#whenRunning(() => options.run(this.#process())),
    })
  }

  /** Arrives a moment later. */
  signal(name: Signal, from: string): void {
    const { schedule, random } = this.#options
    schedule.inOrder({
      to: this.thread, lane: this.#signals, delayUs: random.within(SIGNAL_US), kind: name, from,
      task: () => {
        if (name === 'SIGKILL') this.#end({ code: undefined, signal: name })
        else this.#whenRunning(() => this.#asked(name))
      },
    })
  }

  /** As SIGSTOP: it answers nothing and its timers wait, until it is thawed or killed. */
  freeze(): void {
    this.frozen = true
  }

  thaw(): void {
    if (!this.frozen) return
    this.frozen = false
    const held = this.#held
    this.#held = []
    for (const task of held) this.#options.schedule.soon(this.thread, () => this.#whenRunning(task))
  }

  #asked(name: 'SIGTERM'): void {
    if (this.#onSignal) this.#onSignal(name)
    else this.#end({ code: undefined, signal: name })
  }

  #whenRunning(task: () => void): void {
    if (this.frozen) this.#held.push(task)
    else task()
  }

  #uncaught(error: unknown): void {
    this.#print('stderr', `Uncaught: ${messageOf(error)}`)
    this.#end({ code: 1, signal: undefined })
  }

  #end(exit: Exit): void {
    if (!this.thread.alive) return
    this.#flush()
    this.thread.end()
    this.#options.onExit(exit)
  }

  #print(stream: StreamName, text: string): void {
    if (!this.thread.alive) return
    const { stdout, stderr } = this.#printed
    // Dropped with the thread: its end flushes by itself
    if (stdout.length + stderr.length === 0) this.#options.schedule.soon(this.thread, () => this.#flush())
    this.#printed[stream].push(...text.split('\n'))
  }

  #flush(): void {
    const printed = this.#printed
    this.#printed = { stdout: [], stderr: [] }
    for (const stream of ['stdout', 'stderr'] as const) {
      if (printed[stream].length > 0) this.#options.output.send(stream, printed[stream])
    }
  }

  #process(): ProgramProcess {
    const { spawned: { command, env }, random, transportOf, fork } = this.#options
    return {
      id: this.id, args: command.slice(1), env, clock: this.#clock(), random: random.fork('random'),
      line: (stream, text) => this.#print(stream, text),
      exit: (code) => this.#end({ code, signal: undefined }),
      onSignal: (listener) => void (this.#onSignal = listener),
      serve: (port, handler) => transportOf(this.thread).serveHttp({
        hostname: '127.0.0.1', port, bodyBytesMax: limits.httpBodyBytes, requestMsMax: limits.httpRequestMs,
      }, async (request) => {
        await new Promise<void>((resolve) => this.#whenRunning(resolve))
        return handler(request)
      }),
      fork: (run, { leavesGroup } = { leavesGroup: false }) => {
        if (this.thread.alive) fork(this, run, leavesGroup)
      },
    }
  }

  #clock(): Clock {
    const clock = clockOf(this.#options.schedule, this.thread)
    return {
      ...clock,
      after: (delayMs, task) => {
        let cancelled = false
        const cancel = clock.after(delayMs, () => this.#whenRunning(() => {
          if (!cancelled) task()
        }))
        return () => {
          cancelled = true
          cancel()
        }
      },
      soon: (task) => clock.soon(() => this.#whenRunning(task)),
    }
  }
}
