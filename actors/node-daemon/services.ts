import { NotFound } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import type { Clock } from '../../runtime/platform/ports.ts'
import type { Client } from '../../runtime/protocol.ts'
import type { Supervision } from '../../runtime/supervision.ts'
import { kv, readRecord, ServiceSpec } from '../records.ts'
import { loginTokenName } from '../session.ts'
import {
  difference, fenced, mayMove, readTold, readWanted, type Known, type Told, type Wanted, type WantedSpec,
} from './converge.ts'
import { environmentOf, type EnvironmentOptions } from './environment.ts'
import { createPrograms } from './programs.ts'

export interface ServicesOptions extends EnvironmentOptions {
  readonly supervision: Client<typeof Supervision>
  readonly epoch: string
  readonly clock: Clock
  readonly warn: (message: string) => void
  /** Asks for another round. */
  readonly wake: () => void
  /** Told of what this host is told of itself, whenever that was read, and when it was asked: monotonic ms. */
  readonly onTold?: (told: Told, askedMs: number) => void
  /** See `Fence`. */
  readonly fence: { readonly closed: boolean; readonly mayStart: boolean }
  /** Its workers are the zone's own, but for those whose spec says otherwise. */
  readonly ood: boolean
}

export interface Converged {
  readonly revision: number
  readonly started: string[]
  readonly stopped: string[]
}

/** Drives the services of this host to what its config wants; of an OOD and of a node alike. */
export function createServices(options: ServicesOptions) {
  const { host, supervision, read, login, epoch, clock, warn, wake } = options
  const environment = (spec: ServiceSpec): Promise<Record<string, string>> => environmentOf(spec, options)
  const programs = createPrograms({ supervision, clock, environment, warn, wake })
  /** verify-hub logs in to nobody: it issues its own session. */
  const envOf = (spec: ServiceSpec): Record<string, string> =>
    spec.name === 'verify-hub' ? { ZONEWRIGHT_EPOCH: epoch } : { [loginTokenName(spec.appid)]: login(spec) }
  // Longer than one stop, or one start, may take, so that what is told is which actor did not
  const settings = { withinMs: 2 * limits.startMs }

  /** Workers need each other, and stop and start together: first down, then up. */
  const convergeWorkers = async (wanted: Wanted, { stop, replace, start }: ReturnType<typeof difference>) => {
    const down = await Promise.all([...stop, ...replace].map((name) => supervision.stop({ name }, settings)))
    const gone = new Set(stop)
    // With one that is replaced goes what needs it
    const names = [...new Set([...start, ...replace, ...(replace.length === 0 ? [] : down.flat())])]
      .filter((name) => !gone.has(name)).sort()
    const actors = names.flatMap((name) => {
      const found = wanted.specs.get(name)
      return found ? [{ name, env: envOf(found.spec), version: String(found.revision) }] : []
    })
    if (actors.length > 0) await supervision.start({ actors }, settings)
    return actors.map(({ name }) => name)
  }

  /** What is on its way elsewhere by now, then what differs. Answers with those that begin to start. */
  const drivePrograms = (wanted: Wanted, plan: ReturnType<typeof difference>, known: readonly Known[]): string[] => {
    const target = (name: string): WantedSpec | undefined => programOf(wanted, name)
    const runs = new Set(known.filter(isUp).map(({ name }) => name))
    const astray = programs.astray(target).filter((name) => !wanted.unreadable.has(name))
    const names = new Set([...astray, ...plan.stop, ...plan.replace, ...plan.start])
    return [...names].filter((name) => programs.drive(name, target(name), runs.has(name)) && target(name) !== undefined)
  }

  /** What it was to run, by the last config that was read. */
  let last: Wanted | undefined
  const lookNow = async (): Promise<Told> => {
    const asked = clock.monotonic()
    const told = await readTold(host, read)
    options.onTold?.(told, asked)
    return told
  }
  const isUp = ({ state }: Known): boolean => state !== 'stopped' && state !== 'failed'

  const convergeNow = async (): Promise<Converged> => {
    const told = await lookNow()
    const all = last = await readWanted(told, read, ({ message }) => warn(message))
    const known = await supervision.list({})
    const { fence } = options
    const up = new Set(known.filter(isUp).map(({ name }) => name))
    const wanted = fence.mayStart ? all : fenced(all, (name) => !fence.closed && up.has(name))
    const plan = difference(wanted, known)
    const kinds = new Map(known.map(({ name, kind }) => [name, kind]))
    const isProgram = (name: string): boolean => kinds.get(name) === 'process' || programOf(wanted, name) !== undefined
    const of = (which: (name: string) => boolean) => ({
      start: plan.start.filter(which), stop: plan.stop.filter(which), replace: plan.replace.filter(which),
    })
    // Begun first: they wait for nobody, and nobody for them
    const begun = drivePrograms(wanted, of(isProgram), known)
    const started = await convergeWorkers(wanted, of((name) => !isProgram(name)))
    return { revision: wanted.revision, started: [...started, ...begun].sort(), stopped: [...plan.stop] }
  }

  let running: Promise<Converged> | undefined
  return {
    /** One at a time; who asks meanwhile gets the result of the next. Processes go on after it: see `settled`. */
    async converge(): Promise<Converged> {
      while (running) await running.catch(() => {})
      running = convergeNow().finally(() => { running = undefined })
      return running
    },
    settled: programs.settled,
    /** Reads whether all is as it was; if not, asks for a round. */
    async look(): Promise<void> {
      const { revision } = await lookNow()
      // The first round is on its way, and does not begin again by being looked at
      if (last && revision !== last.revision) wake()
    },
    /** Stops what may run elsewhere by now, as far as it is known; where it is not, all that may be meant. */
    async close(): Promise<void> {
      const known = await supervision.list({})
      const moves = ({ name, kind }: Known): boolean => {
        const spec = last?.specs.get(name)?.spec
        return spec ? mayMove(spec) : kind === 'process' || !options.ood
      }
      const down = known.filter((each) => isUp(each) && each.managed && each.state !== 'stopping' && moves(each))
      if (down.length === 0) return
      const names = down.map(({ name }) => name).join(', ')
      warn(`This host cannot read what it should run, and stops what may run elsewhere by now: ${names}`)
      await Promise.all(down.map(({ name, kind }) => (kind === 'process'
        ? void programs.drive(name, undefined, true) : supervision.stop({ name }, settings))))
    },
    /** For a process that starts again: its tokens were good for one start. @throws NotFound */
    async environment(name: string): Promise<Record<string, string>> {
      const item = await read(kv.spec(name))
      const spec = item ? readRecord(ServiceSpec, kv.spec(name), item.value) : undefined
      if (!spec?.run) throw new NotFound(`There is no service that is a process: ${name}`, { key: kv.spec(name) })
      return environment(spec)
    },
  }
}

/** What should run here and is a process. */
function programOf({ config, specs }: Wanted, name: string): WantedSpec | undefined {
  const found = config.state !== 'stopped' && config.services[name]?.target === 'running' ? specs.get(name) : undefined
  return found?.spec.run ? found : undefined
}
