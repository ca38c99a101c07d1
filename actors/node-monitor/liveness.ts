import { limits } from '../../runtime/limits.ts'
import type { DeviceInfo } from '../records.ts'

/** `unknown`: nothing was heard of it since this watch began, and not long enough to say that it is down. */
export type NodeLife = 'unknown' | 'up' | 'suspect' | 'down'

export interface NodeState {
  readonly name: string
  readonly role: 'ood' | 'node'
  readonly state: NodeLife
  /** Since when, by the wall clock; epoch milliseconds. */
  readonly since: number
  /** When it was last heard of, by the wall clock; null where it was not. */
  readonly lastSeen: number | null
  /** What it told last. */
  readonly info: DeviceInfo | null
}

interface Watched {
  readonly name: string
  readonly role: NodeState['role']
  state: NodeLife
  since: number
  lastSeen: number | null
  info: DeviceInfo | null
  /** Monotonic milliseconds of the last report, or of the beginning; moved on by the time in which nothing is heard. */
  heardMs: number
  /** Reports in a row that came in time. */
  inTime: number
}

/** Both clocks, in milliseconds: how long is measured by the monotonic one, when is told by the other. */
export interface Moment {
  readonly monotonic: number
  readonly now: number
}

/**
 * Which hosts are up, by the reports that they write. A late one makes a host suspect, silence makes it down, and one
 * report does not make it up again: what comes and goes is not told as a change each time. While this watch itself
 * hears nothing, no host grows silent.
 */
export class Liveness {
  readonly #nodes = new Map<string, Watched>()
  readonly #onChange: (state: NodeState) => void
  #deafSince: number | undefined

  constructor(onChange: (state: NodeState) => void) {
    this.#onChange = onChange
  }

  get size(): number {
    return this.#nodes.size
  }

  list(): readonly NodeState[] {
    return [...this.#nodes.values()].map(told).sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  /** The hosts that there are. Answers with how many are left unwatched. */
  hosts(hosts: ReadonlyMap<string, NodeState['role']>, at: Moment): number {
    for (const name of this.#nodes.keys()) if (!hosts.has(name)) this.#nodes.delete(name)
    let left = 0
    for (const [name, role] of hosts) {
      if (this.#nodes.get(name)?.role === role) continue
      if (this.#nodes.size >= limits.nodesWatched && !this.#nodes.has(name)) left++
      else {
        const watched: Watched = {
          name, role, state: 'unknown', since: at.now, lastSeen: null, info: null, heardMs: at.monotonic, inTime: 0,
        }
        this.#nodes.set(name, watched)
        this.#onChange(told(watched))
      }
    }
    return left
  }

  /** What was there when the watch began may be old: it says something of a host, and not that it lives. */
  known(info: DeviceInfo): void {
    const node = this.#nodes.get(info.name)
    if (node && node.info === null) node.info = info
  }

  reported(info: DeviceInfo, at: Moment): void {
    const node = this.#nodes.get(info.name)
    if (!node) return
    const isNew = node.info?.report !== info.report || node.info.incarnation !== info.incarnation
    node.info = info
    if (!isNew) return
    const late = at.monotonic - node.heardMs >= limits.nodeSuspectMs
    node.inTime = late ? 1 : node.inTime + 1
    node.heardMs = at.monotonic
    node.lastSeen = at.now
    const first = node.state === 'unknown'
    if (first || node.inTime >= limits.nodeReportsUp) this.#set(node, 'up', at)
    else if (node.state === 'down') this.#set(node, 'suspect', at)
  }

  /** Nothing is heard from now on: of no host. */
  deaf(at: Moment): void {
    this.#deafSince ??= at.monotonic
  }

  hearing(at: Moment): void {
    if (this.#deafSince === undefined) return
    const missed = at.monotonic - this.#deafSince
    this.#deafSince = undefined
    for (const node of this.#nodes.values()) node.heardMs += missed
  }

  /** Those that have been silent for too long. */
  look(at: Moment): void {
    if (this.#deafSince !== undefined) return
    for (const node of this.#nodes.values()) {
      const silent = at.monotonic - node.heardMs
      if (silent >= limits.nodeDownMs) this.#set(node, 'down', at)
      else if (silent >= limits.nodeSuspectMs && node.state === 'up') this.#set(node, 'suspect', at)
    }
  }

  /** Monotonic milliseconds at which a look may find something; undefined while nothing can be. */
  get nextLook(): number | undefined {
    if (this.#deafSince !== undefined) return undefined
    let next: number | undefined
    for (const { state, heardMs } of this.#nodes.values()) {
      if (state === 'down') continue
      const at = heardMs + (state === 'up' ? limits.nodeSuspectMs : limits.nodeDownMs)
      next = Math.min(next ?? Infinity, at)
    }
    return next
  }

  #set(node: Watched, state: NodeLife, at: Moment): void {
    if (node.state === state) return
    node.state = state
    node.since = at.now
    this.#onChange(told(node))
  }
}

const told = ({ name, role, state, since, lastSeen, info }: Watched): NodeState =>
  ({ name, role, state, since, lastSeen, info })
