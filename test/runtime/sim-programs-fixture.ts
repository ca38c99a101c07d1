import { createProcesses, type Processes, type ProcessesOptions } from '../../runtime/process/processes.ts'
import { Programs, type ProgramFile } from '../../runtime/sim/programs.ts'
import type { SimulatedProcess, SimulationResult, World } from '../../runtime/sim/simulate.ts'
import type { ProcessStart } from '../../runtime/supervision.ts'
import { createTrace, type ActorEvent, type LogEvent } from '../../runtime/trace.ts'
import { readyPrograms } from '../boot-fixtures/programs.ts'
import { pause, simulateWith } from './sim-fixture.ts'

export const HOST = 'h1'
export const FOLDER = '/srv/services'

/** One process of a host that runs programs, without a zone around it. */
export interface Supervising {
  readonly process: SimulatedProcess
  readonly processes: Processes
  readonly events: readonly ActorEvent[]
  readonly logs: readonly LogEvent[]
  log(name: string): readonly string[]
  states(name: string): string
}

export interface Scene {
  readonly world: World
  readonly programs: Programs
  /** Starts one, also after another that was killed. */
  supervising(more?: Partial<ProcessesOptions>): Supervising
  /** What runs, by its program. */
  running(): string
  until(what: string, holds: () => boolean): Promise<number>
}

export interface SceneOptions {
  readonly seed?: number
  readonly user?: number
  readonly more?: Readonly<Record<string, ProgramFile>>
}

export function inScene(options: SceneOptions, run: (scene: Scene) => Promise<void>): Promise<SimulationResult> {
  const programs = new Programs({ ...readyPrograms, ...options.more }, options.user)
  return simulateWith((world) => run({
    world, programs,
    supervising: (more = {}) => supervisingIn(world, more),
    running: () => programs.running().map(({ command: [path] }) => path).join(' '),
    async until(what, holds) {
      const began = world.clock.monotonic()
      while (!holds()) {
        if (world.clock.monotonic() - began > 60_000) throw new Error(`Not within a minute: ${what}`)
        await pause(world, 5)
      }
      return world.clock.monotonic() - began
    },
  }), { seed: options.seed ?? 1, programs, maxEvents: 200_000 })
}

function supervisingIn(world: World, more: Partial<ProcessesOptions>): Supervising {
  const process = world.startProcess(HOST)
  const trace = createTrace()
  const [events, logs]: [ActorEvent[], LogEvent[]] = [[], []]
  trace.on('actor', (event) => void events.push(event))
  trace.on('log', (event) => void logs.push(event))
  const { platform } = process
  const processes = createProcesses({ platform, host: HOST, trace, allow: ['/opt/*'], folder: FOLDER, ...more })
  return {
    process, processes, events, logs,
    log: (name) => logs.filter(({ actor }) => actor === name).map(({ message }) => message),
    states: (name) => events.filter(({ actor }) => actor === name).map(({ state }) => state).join(' '),
  }
}

/** A program with its arguments. */
export const start = (command: string, more: Partial<ProcessStart> = {}): ProcessStart =>
  ({ command: command.split(' '), health: null, stopMs: 3_000, ...more })

export const healthAt = (port: number): NonNullable<ProcessStart['health']> =>
  ({ port, path: '/health', everyMs: 1_000, startMs: 2_000 })

export const noEnv = async (): Promise<Record<string, string>> => ({})

/** The message it must end with. */
export const messageOf = (work: Promise<unknown>): Promise<string> =>
  work.then(() => 'no error', (error: Error & { code?: string }) => `${error.code}: ${error.message}`)
