import { looseObject, number, safeParse, string } from 'valibot'
import { SystemConfig } from '../../../actors/system-config/protocol.ts'
import type { ActorDefinition, ActorStart, Serving } from '../../../runtime/actor.ts'
import type { Protocol } from '../../../runtime/protocol.ts'
import type { World } from '../../../runtime/sim/simulate.ts'
import type { Change } from '../../../runtime/store/change.ts'
import { pause } from '../../../runtime/within.ts'
import type { RunHooks } from '../run.ts'
import { CONFIG_STORE } from './stores.ts'

export type LeaderPromise = 'one-leader' | 'no-fenced-write'

/** A host that believes that it leads. */
interface Belief {
  readonly host: string
  readonly term: number
  /** Whether the thread that believes it is there. */
  readonly alive: () => boolean
  /** Its host stood still since: what it believes it believed before. */
  asleep: boolean
}

const PREFIX = 'leaders/'
/** How an actor tells that its term began, and that it leads or not (`actors/leading.ts`). */
const BEGINS = 'It leads'
const GAUGE = /^leads\{name="([^"]+)"\}$/
const Told = looseObject({ name: string(), term: number() })
const Fenced = looseObject({ fence: looseObject({ name: string(), term: number() }) })
const Written = looseObject({ revision: number() })

type Handler = (args: unknown, context: unknown) => unknown

/**
 * Leaders by lease, seen from three sides: the records in the store, what actors believe, at the very moment, and what
 * system-config answers to writes of a term.
 */
export class Leaders {
  /** Terms that somebody believed to have. */
  begun = 0
  /** Told of a write of a term as it begins, at the system-config of that host; true: it waits for a moment there. */
  onWrite: (host: string) => boolean = () => false
  /** Writes that were bound to a term, and accepted. */
  fenced = 0
  readonly #world: () => World
  readonly #broken: (promise: LeaderPromise, detail: string) => void
  /** By name, what its record became at which revision; without a term, that it was gone. */
  readonly #records = new Map<string, { readonly revision: number; readonly term: number; readonly host: string }[]>()
  readonly #beliefs = new Map<string, Belief[]>()
  readonly #last = new Map<string, Belief>()

  constructor(world: () => World, broken: (promise: LeaderPromise, detail: string) => void) {
    this.#world = world
    this.#broken = broken
  }

  /** Where the record says that it is led from; empty where nobody leads. */
  recorded(name: string): string {
    return this.#records.get(name)?.at(-1)?.host ?? ''
  }

  /** Hosts that believe now that they lead, and are there. */
  believed(name: string): readonly string[] {
    return this.#living(name).filter(({ asleep }) => !asleep).map(({ host }) => host)
  }

  /** It stands still: until its timers run again it does nothing, and does not know that its terms are over. */
  sleeps(host: string): void {
    for (const beliefs of this.#beliefs.values()) for (const one of beliefs) if (one.host === host) one.asleep = true
  }

  readonly commit = (path: string, changes: readonly Change[]): void => {
    if (!CONFIG_STORE.test(path)) return
    for (const { revision, writes } of changes) {
      for (const { key, entry } of writes) {
        if (!key.startsWith(PREFIX)) continue
        const host = entry && (JSON.parse(new TextDecoder().decode(entry.value)) as { host: string }).host
        this.#recorded(key.slice(PREFIX.length), revision, host)
      }
    }
  }

  /** Looks on at every actor of every host. */
  watching(hooks: RunHooks): RunHooks {
    const change = (name: string, given: ActorDefinition): ActorDefinition => {
      const definition = hooks.change ? hooks.change(name, given) : given
      return {
        ...definition,
        start: async (start: ActorStart) => {
          const serving = await definition.start({ ...start, ...this.#listening(start) })
          return name === SystemConfig.name ? this.#judging(serving, start) : serving
        },
      } as ActorDefinition
    }
    return { ...hooks, change }
  }

  #recorded(name: string, revision: number, host: string | undefined): void {
    const records = this.#records.get(name) ?? []
    this.#records.set(name, records)
    const before = records.at(-1)
    if (before && revision <= before.revision) {
      this.#broken('one-leader', `the record of ${name} went from revision ${before.revision} to ${revision}`)
    }
    records.push(host === undefined ? { revision, term: 0, host: '' } : { revision, term: revision, host })
  }

  #listening({ log, gauge, self }: ActorStart): Pick<ActorStart, 'log' | 'gauge'> {
    // What led here before has ended with its thread
    this.#forget(self.actor, self.host)
    return {
      log: {
        ...log,
        info: (message, fields) => {
          const told = message === BEGINS ? safeParse(Told, fields) : undefined
          if (told?.success) this.#begins(told.output.name, told.output.term, self.host)
          log.info(message, fields)
        },
      },
      gauge: (name, value) => {
        const [, led] = GAUGE.exec(name) ?? []
        if (led !== undefined && value === 0) this.#forget(led, self.host)
        gauge(name, value)
      },
    }
  }

  #begins(name: string, term: number, host: string): void {
    this.begun++
    const record = this.#records.get(name)?.find((one) => one.term === term)
    if (record?.host !== host) {
      const said = record ? `that is of ${record.host}` : 'that is in no record'
      this.#broken('one-leader', `${host} leads ${name} by term ${term}, ${said}`)
    }
    const last = this.#last.get(name)
    if (last && (term < last.term || (term === last.term && host !== last.host))) {
      this.#broken('one-leader', `${host} leads ${name} by term ${term} after ${last.host} did by ${last.term}`)
    }
    for (const other of this.#living(name)) {
      if (other.host === host || other.asleep) continue
      this.#broken('one-leader', `${host} begins to lead ${name} (${term}) while ${other.host} does (${other.term})`)
    }
    const alive = (): boolean => this.#world().workers(host).includes(name)
    const belief: Belief = { host, term, alive, asleep: false }
    this.#last.set(name, belief)
    this.#forget(name, host)
    this.#beliefs.get(name)!.push(belief)
  }

  #forget(name: string, host: string): void {
    this.#beliefs.set(name, this.#living(name).filter((one) => one.host !== host))
  }

  #living(name: string): Belief[] {
    return (this.#beliefs.get(name) ?? []).filter(({ alive }) => alive())
  }

  #judging(serving: Serving<Protocol, {}>, { self, clock }: ActorStart): Serving<Protocol, {}> {
    const { handlers, ...rest } = serving as unknown as { handlers: { readonly [method: string]: Handler } }
    const execTx: Handler = async (args, context) => {
      const fence = safeParse(Fenced, args)
      if (fence.success && this.onWrite(self.host)) await pause(clock, 1)
      const answer = await handlers['execTx']!(args, context)
      const written = safeParse(Written, answer)
      if (fence.success && written.success) this.#accepted(fence.output.fence, written.output.revision)
      return answer
    }
    return { ...rest, handlers: { ...handlers, execTx } } as unknown as Serving<Protocol, {}>
  }

  /** Whoever led just before this revision. */
  #accepted({ name, term }: { readonly name: string; readonly term: number }, revision: number): void {
    this.fenced++
    const record = this.#records.get(name)?.findLast((one) => one.revision < revision)
    if (record?.term === term) return
    const leads = record && record.term > 0 ? `${record.host} led by ${record.term}` : 'nobody led'
    this.#broken('no-fenced-write', `${name} wrote revision ${revision} by term ${term}, and ${leads}`)
  }
}
