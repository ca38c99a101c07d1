import { messageOf } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import type { Clock } from '../../runtime/platform/ports.ts'
import type { Client } from '../../runtime/protocol.ts'
import type { ProcessStart, Supervision } from '../../runtime/supervision.ts'
import { within } from '../../runtime/within.ts'
import type { ProcessRun, ServiceSpec } from '../records.ts'
import { mayMove, type WantedSpec } from './converge.ts'

export interface ProgramsOptions {
  readonly supervision: Client<typeof Supervision>
  readonly clock: Clock
  readonly environment: (spec: ServiceSpec) => Promise<Record<string, string>>
  readonly warn: (message: string) => void
  /** Asks for another round. */
  readonly wake: () => void
}

/** On its way to run from the spec of this revision, or to be stopped. */
interface Drive {
  readonly revision: number | undefined
  readonly done: Promise<void>
}

interface Failed {
  readonly revision: number
  readonly times: number
  /** Monotonic milliseconds before which it is not tried again. */
  readonly until: number
}

/**
 * Drives services that are processes, each by itself: one that takes long to serve, to stop or to fail holds up no
 * other, and is tried again at its own pace.
 */
export function createPrograms({ supervision, clock, environment, warn, wake }: ProgramsOptions) {
  const drives = new Map<string, Drive>()
  const failures = new Map<string, Failed>()

  const failed = (name: string, revision: number, error: unknown): void => {
    const before = failures.get(name)
    const times = before?.revision === revision ? before.times + 1 : 1
    const waitMs = Math.min(limits.convergeRoundMs, limits.convergeRetryMs * 2 ** Math.min(times, 16))
    failures.set(name, { revision, times, until: clock.monotonic() + waitMs })
    warn(`${name} did not start: ${messageOf(error)}`)
    clock.after(waitMs, wake)
  }

  const run = async (name: string, wanted: WantedSpec | undefined, stopsFirst: boolean, isMine: () => boolean) => {
    try {
      const stopMs = wanted?.spec.run?.stopMs ?? 0
      if (stopsFirst) await supervision.stop({ name }, { withinMs: stopMs + 2 * limits.startMs })
    } catch (error) {
      warn(`${name} did not stop: ${messageOf(error)}`)
      return
    }
    const program = wanted?.spec.run
    // What is wanted by now is another's to start
    if (!wanted || !program || !isMine()) return
    try {
      const env = await environment(wanted.spec)
      if (!isMine()) return
      const withinMs = (program.health?.startMs ?? 0) + 2 * limits.startMs
      const start = { name, env, version: String(wanted.revision), program: startOf(wanted.spec, program) }
      await supervision.start({ actors: [start] }, { withinMs })
      failures.delete(name)
    } catch (error) {
      // One that was stopped meanwhile has not failed
      if (isMine()) failed(name, wanted.revision, error)
    }
  }

  return {
    /** Whether it is on its way to something that is not wanted any more. */
    astray: (wanted: (name: string) => WantedSpec | undefined): readonly string[] =>
      [...drives].filter(([name, { revision }]) => wanted(name)?.revision !== revision).map(([name]) => name),
    /** Begins to make it run from this spec, or not at all. Nothing waits for it but `settled`. */
    drive(name: string, wanted: WantedSpec | undefined, runs: boolean): boolean {
      const before = drives.get(name)
      if (before && before.revision === wanted?.revision) return false
      const held = failures.get(name)
      if (!wanted) failures.delete(name)
      if (wanted && held?.revision === wanted.revision && clock.monotonic() < held.until) return false
      const isMine = (): boolean => drives.get(name) === drive
      const begun = Promise.resolve().then(() => run(name, wanted, runs || before !== undefined, isMine))
      const done = begun.finally(() => {
        if (isMine()) drives.delete(name)
      })
      const drive: Drive = { revision: wanted?.revision, done }
      drives.set(name, drive)
      return true
    },
    /** Settles when all that is on its way has arrived or failed, at the latest when a start may take no longer. */
    async settled(): Promise<void> {
      const all = [...drives.values()].map(({ done }) => done)
      if (all.length === 0) return
      const late = (): Error => new Error('Some are still on their way')
      await within(clock, limits.startMs, Promise.all(all), late).catch(() => {})
    },
  }
}

/** What may be started elsewhere has stopped by then, however long it would like to take. */
const STOP_MS_MAX = limits.hostLostMs - limits.hostFenceMs - limits.hostConfirmMs

const startOf = (spec: ServiceSpec, { command, health, stopMs = limits.stopMs }: ProcessRun): ProcessStart => ({
  command,
  stopMs: mayMove(spec) ? Math.min(stopMs, STOP_MS_MAX) : stopMs,
  health: health ? {
    port: health.http.port, path: health.http.path, everyMs: health.everyMs ?? limits.healthMs,
    startMs: health.startMs ?? limits.healthStartMs,
  } : null,
})
