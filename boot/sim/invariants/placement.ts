import { mayMove } from '../../../actors/node-daemon/converge.ts'
import { DeviceInfo, HostRecord, NodeConfig, readRecord, ServiceSpec, specRevision } from '../../../actors/records.ts'
import { hasLabels } from '../../../actors/scheduler/place.ts'
import { limits } from '../../../runtime/limits.ts'
import type { Change } from '../../../runtime/store/change.ts'
import type { Schema, Infer } from '../../../runtime/protocol.ts'
import { isOod } from '../cluster.ts'
import type { Checks, Scene } from '../invariants.ts'
import { CONFIG_STORE } from './stores.ts'

/**
 * Milliseconds for which a program may run on where its host's config does not name it any more: until a host that
 * hears nothing stops by itself, and for as long as the round of a daemon takes that starts and stops others before.
 */
const RUNS_ON_MS = limits.hostFenceMs + limits.hostConfirmMs + 2 * limits.startMs

/** What the store of system-config says of hosts and services. */
export class Placement {
  readonly nodes = new Map<string, NodeConfig>()
  readonly infos = new Map<string, DeviceInfo>()
  readonly lost = new Set<string>()
  /** By name, and by revision as a config has it. */
  readonly #specs = new Map<string, ServiceSpec>()

  /** @returns the configs that were written, as they were before */
  apply({ writes }: Change): ReadonlyMap<string, NodeConfig | undefined> {
    const before = new Map<string, NodeConfig | undefined>()
    for (const { key, entry } of writes) {
      const [root, section, name = '', leaf] = key.split('/')
      if (root !== 'kv') continue
      // Behind a byte that says where its revision is kept
      const text = entry && new TextDecoder().decode(entry.value.subarray(1))
      if (section === 'system' && name === 'hosts' && leaf !== undefined) {
        if (text !== undefined && read(HostRecord, key, text)?.state === 'lost') this.lost.add(leaf)
        else this.lost.delete(leaf)
      }
      if (text === undefined) continue
      if (section === 'services' && leaf === 'spec') {
        const spec = read(ServiceSpec, key, text)
        if (spec) this.#specs.set(`${name} ${specRevision(text)}`, spec)
      }
      const info = section === 'devices' && leaf === 'info' ? read(DeviceInfo, key, text) : undefined
      if (info) this.infos.set(name, info)
      const node = section === 'nodes' && leaf === 'config' ? read(NodeConfig, key, text) : undefined
      if (!node) continue
      before.set(name, this.nodes.get(name))
      this.nodes.set(name, node)
    }
    return before
  }

  /** The specs that a host's config was made from. */
  specsOn(config: NodeConfig | undefined): readonly ServiceSpec[] {
    return Object.entries(config?.services ?? {}).flatMap(([name, { specRevision: revision }]) =>
      this.#specs.get(`${name} ${revision}`) ?? [])
  }

  /** Service and host of each program that should run. */
  running(): ReadonlySet<string> {
    return new Set([...this.nodes].flatMap(([host, config]) => this.specsOn(config)
      .filter(({ name, run, state }) => run && state !== 'stopped' && config.services[name]?.target === 'running')
      .map(({ name }) => `${name} ${host}`)))
  }

  names(host: string, service: string): boolean {
    return this.nodes.get(host)?.services[service]?.target === 'running'
  }
}

function read<S extends Schema>(schema: S, key: string, text: string): Infer<S> | undefined {
  try {
    return readRecord(schema, key, text)
  } catch {
    return undefined
  }
}

export const changesOf = (check: (change: Change) => void) => (path: string, changes: readonly Change[]): void => {
  if (CONFIG_STORE.test(path)) for (const change of changes) check(change)
}

/** Of programs, which are seen as their machine sees them. */
export function placedOnce({ world, cluster, broken }: Scene): Checks {
  const placement = new Placement()
  /** By host and service, since when no config names it: true milliseconds. */
  const unnamed = new Map<string, number>()
  const running = (): readonly { readonly host: string; readonly service: string }[] =>
    cluster.programs.running().map(({ host, env }) => ({ host, service: env['ZONEWRIGHT_SERVICE'] ?? '' }))
  return {
    commit: changesOf((change) => {
      const before = placement.apply(change)
      const gained = new Set([...before].flatMap(([host, was]) =>
        Object.keys(placement.nodes.get(host)!.services).filter((name) => !was?.services[name])))
      for (const [host, was] of before) {
        if (!placement.lost.has(host)) continue
        const left = placement.specsOn(was).filter((spec) => mayMove(spec) && gained.has(spec.name))
        for (const { name } of left) {
          const runs = running().some((one) => one.host === host && one.service === name)
          if (!runs || placement.names(host, name)) continue
          broken(`${name} is started elsewhere while it runs on ${host}, which is lost`)
        }
      }
    }),
    second() {
      const now = world.nowUs / 1_000
      const seen = new Set<string>()
      for (const { host, service } of running()) {
        if (placement.names(host, service)) continue
        const key = `${service} on ${host}`
        seen.add(key)
        const since = unnamed.get(key) ?? now
        unnamed.set(key, since)
        if (now - since > RUNS_ON_MS) broken(`${key} runs ${Math.round((now - since) / 1_000)} s after it was moved`)
      }
      for (const key of unnamed.keys()) if (!seen.has(key)) unnamed.delete(key)
    },
  }
}

export function placedFits({ broken }: Scene): Checks {
  const placement = new Placement()
  const check = (host: string): void => {
    const info = placement.infos.get(host)
    const specs = placement.specsOn(placement.nodes.get(host))
    for (const { name, kernel } of specs) {
      if (kernel && !isOod(host)) broken(`${name} is placed on ${host}, which is no OOD`)
    }
    if (!info) return
    for (const { name, labels, stateful } of specs) {
      const has = hasLabels({ labels: info.labels ?? {} }, labels)
      if (!has && !stateful) broken(`${name} is placed on ${host}, which has not its labels`)
    }
    for (const [kind, has] of [
      ['memoryBytes', info.capacity?.memoryBytes ?? info.memoryBytes],
      ['processors', info.capacity?.processors ?? info.processors * 100],
    ] as const) {
      const taken = specs.reduce((sum, { resources }) => sum + (resources?.[kind] ?? 0), 0)
      if (taken > has) broken(`${taken} ${kind} are placed on ${host}, which has ${has}`)
    }
  }
  return { commit: changesOf((change) => [...placement.apply(change).keys()].forEach(check)) }
}
