import type { Resources, ServiceSpec } from '../records.ts'
import type { PlaceHost, Seat } from './place.ts'

type Spec = Pick<ServiceSpec, 'name' | 'kernel' | 'resources' | 'labels' | 'stateful'>

export interface PlaceRules {
  readonly mayRun: (spec: Spec, host: PlaceHost) => boolean
  readonly leaves: (spec: Spec, host: PlaceHost) => boolean
}

/** Why replicas of it have no host, or why it stays on one that it should leave; empty where neither is so. */
export function whyNowhere(
  spec: Spec, missing: number, own: readonly Seat[], seats: readonly Seat[], { mayRun, leaves }: PlaceRules,
): string {
  const stuck = own.find(({ host }) =>
    leaves(spec, host) || host.state !== 'running' || (spec.stateful && host.life === 'gone'))
  if (missing === 0 && !stuck) return ''
  if (spec.stateful && stuck) return `its state lies on ${stuck.host.name}`
  const others = seats.filter((seat) => !own.includes(seat))
  const may = others.filter(({ host }) => mayRun(spec, host))
  if (may.length === 0) return whyNone(spec, others.map(({ host }) => host), own.length > 0)
  const free = may.flatMap((seat) => seat.free ?? [])
  if (free.length === 0) return 'no host has told what it has yet'
  const most = {
    memoryBytes: Math.max(0, ...free.map(({ memoryBytes }) => memoryBytes)),
    processors: Math.max(0, ...free.map(({ processors }) => processors)),
  }
  const { memoryBytes = 0, processors = 0 } = spec.resources ?? {}
  const needs = { ...(memoryBytes > 0 ? { memoryBytes } : {}), ...(processors > 0 ? { processors } : {}) }
  return `no ${own.length > 0 ? 'other ' : ''}host has room for ${told(needs)}: at most ${told(most)} are free`
}

function whyNone({ kernel, labels = {} }: Spec, hosts: readonly PlaceHost[], hasSome: boolean): string {
  const other = hasSome ? 'other ' : ''
  if (hosts.length === 0) return `there is no ${other}host`
  const oods = kernel ? hosts.filter(({ ood }) => ood) : hosts
  if (oods.length === 0) return `it runs on OODs only, and there is no ${other}OOD`
  const usable = oods.filter(({ state, life }) => state === 'running' && life === 'alive')
  if (usable.length === 0) return `no ${other}host is up and neither drained nor stopped`
  const names = Object.entries(labels).map(([name, value]) => `${name}=${value}`)
  return `no ${other}host has the labels ${names.join(' ')}`
}

const MEBI = 1024 * 1024
function told({ memoryBytes, processors }: Resources): string {
  return [
    ...(memoryBytes === undefined || memoryBytes === Infinity ? [] : [`${Math.floor(memoryBytes / MEBI)} MiB`]),
    ...(processors === undefined || processors === Infinity ? [] : [`${(processors / 100).toFixed(2)} processors`]),
  ].join(' and ')
}
