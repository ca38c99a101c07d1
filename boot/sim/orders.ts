import type { ActorDefinition } from '../../runtime/actor.ts'
import { withDependents, type NeedsGraph } from '../../runtime/needs.ts'
import { Supervision } from '../../runtime/supervision.ts'
import { catalogue } from '../catalogue.ts'
import { defaultConfig } from '../config.ts'
import { CONTROL } from '../ood.ts'
import { bootSteps, FOLDER } from './cluster.ts'

/** Actors of the first host, in an order in which they may come to run. */
export type StartOrder = readonly string[]

/** The worker that each actor of the first host lives in. */
export const threadOf: ReadonlyMap<string, string> = new Map(
  catalogue(FOLDER, defaultConfig).map(({ protocol, thread }) => [protocol.name, thread]),
)
export const oodThreads: readonly string[] = [...new Set(threadOf.values())].sort()
/** It runs once in the life of a zone, and is stopped again at once. */
export const ONCE = 'boot-scheduler'

/** What each actor of the first host waits for, by its definition. */
export function needsOf(definitions: ReadonlyMap<string, ActorDefinition>): NeedsGraph {
  return new Map([...threadOf.keys()].map((name) => {
    const { needs, servesWithout = [] } = definitions.get(name)!
    return [name, Object.values(needs).map((need) => need.name)
      .filter((need) => need !== Supervision.name && !servesWithout.includes(need))]
  }))
}

/** The same, with the sequence of a boot: the control plane one by one, and then what the node config names. */
export function bootGraph(needs: NeedsGraph): NeedsGraph {
  return new Map([...needs].map(([name, needed]) => {
    const place = CONTROL.indexOf(name)
    return [name, [...new Set([...needed, ...CONTROL.slice(0, place < 0 ? CONTROL.length : place)])]]
  }))
}

/** Every order in which each follows what it needs. */
export function linearExtensions(graph: NeedsGraph): readonly StartOrder[] {
  const orders: StartOrder[] = []
  const extend = (order: StartOrder): void => {
    if (order.length === graph.size) return void orders.push(order)
    for (const [name, needs] of graph) {
      if (!order.includes(name) && needs.every((need) => order.includes(need))) extend([...order, name])
    }
  }
  extend([])
  return orders
}

/** What goes when a worker does: its actors, and all that need them. */
export function fallsWith(needs: NeedsGraph, thread: string): ReadonlySet<string> {
  const actors = [...threadOf].filter(([name, its]) => its === thread && name !== ONCE).map(([name]) => name)
  const fallen = new Set(withDependents(needs, actors))
  fallen.delete(ONCE)
  return fallen
}

export type Crash = 'power-off' | 'host' | { readonly worker: string }

/** One run: an order, a crash, and when. */
export interface StartCase {
  readonly index: number
  readonly boot: 'first' | 'second'
  /** A documented step, or once all serve. */
  readonly moment: number | 'serves'
  readonly crash: Crash
  /** At each boot of the host. */
  readonly order: StartOrder
  /** Of what comes back while the host stays up; empty where it does not. */
  readonly back: StartOrder
  /** Whether one comes to serve before the next one is started. */
  readonly pace: 'apart' | 'together'
}

/** The product: boots, moments, crashes, orders. `firstBootOnly`: steps that a second boot does not have. */
export function startCases(needs: NeedsGraph, firstBootOnly: ReadonlySet<number>): readonly StartCase[] {
  const cases: StartCase[] = []
  const crashes: readonly Crash[] = ['power-off', 'host', ...oodThreads.map((worker) => ({ worker }))]
  for (const boot of ['first', 'second'] as const) {
    const steps = bootSteps.filter((step) => boot === 'first' || !firstBootOnly.has(step))
    for (const [place, moment] of ([...steps, 'serves'] as const).entries()) {
      for (const [kind, crash] of crashes.entries()) {
        for (const [number, { order, back }] of ordersFor(needs, crash).entries()) {
          const pace = (place + kind + number) % 2 === 0 ? 'apart' : 'together'
          cases.push({ index: cases.length, boot, moment, crash, order, back, pace })
        }
      }
    }
  }
  return cases
}

/** What a boot and what a return may differ in: both from one order that the needs leave open. */
function ordersFor(needs: NeedsGraph, crash: Crash): readonly { order: StartOrder; back: StartOrder }[] {
  const falls = typeof crash === 'string' ? new Set<string>() : fallsWith(needs, crash.worker)
  const found = new Map<string, { order: StartOrder; back: StartOrder }>()
  for (const each of linearExtensions(needs)) {
    const order = [...CONTROL, ...each.filter((name) => !CONTROL.includes(name))]
    const back = each.filter((name) => falls.has(name))
    found.set(`${order.join(' ')} | ${back.join(' ')}`, { order, back })
  }
  return [...found.values()]
}

export function describeCase({ index, boot, moment, crash, order, back, pace }: StartCase): string {
  const what = typeof crash === 'string' ? crash : `worker ${crash.worker}`
  const returns = back.length === 0 ? '' : `, and back ${back.join(' ')}`
  const when = moment === 'serves' ? 'once it serves' : `at step ${moment}`
  return `case ${index}: ${what} ${when} of the ${boot} boot, started ${pace} ${order.join(' ')}${returns}`
}
