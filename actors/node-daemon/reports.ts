import { messageOf } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import type { Clock } from '../../runtime/platform/ports.ts'
import type { Infer } from '../../runtime/protocol.ts'
import type { HostState, MachineState } from '../../runtime/supervision.ts'
import { pause } from '../../runtime/within.ts'
import { kv, type DeviceInfo, type NodeConfig } from '../records.ts'
import type { Means } from './means.ts'

export interface ReportsOptions {
  readonly host: string
  readonly incarnation: number
  readonly means: Means
  readonly clock: Clock
  readonly stopping: AbortSignal
  readonly machine: () => Promise<Infer<typeof MachineState>>
  /** What this host runs. */
  readonly actors: () => Promise<HostState['actors']>
  readonly write: (key: string, value: string) => Promise<void>
  readonly warn: (message: string) => void
}

/** What this host tells of itself, as often as its config says: regularly, or when where it is reached has changed. */
export function createReports(options: ReportsOptions) {
  const { host, incarnation, means, clock, stopping, machine, actors, write, warn } = options
  let mode: NodeConfig['report']
  let wake = new AbortController()
  stopping.addEventListener('abort', () => wake.abort())
  let report = 0
  let told: string | undefined
  let failed = false
  let news = false
  const tell = async (): Promise<void> => {
    const state = await machine()
    const where = state.addresses.join(' ')
    if (mode === undefined || (mode === 'changes' && where === told)) return
    const runs = (await actors()).slice(0, limits.reportActors).map(shortly)
    const info: DeviceInfo = { name: host, ...state, ...means, actors: runs, report: ++report, incarnation }
    await write(kv.deviceInfo(host), JSON.stringify(info))
    told = where
  }
  return {
    wanted(next: NodeConfig['report']): void {
      if (next === mode) return
      mode = next
      wake.abort()
    },
    /** What this host runs is another now: a report that is due in a while comes soon. */
    changed(): void {
      if (mode !== 'regularly') return
      news = true
      wake.abort()
    },
    /** Until the daemon stops. A report that fails is left out: the next one says the same. */
    async run(): Promise<void> {
      while (!stopping.aborted) {
        // What starts is told of once it serves, and what changes all the time no more often than this
        if (news) await pause(clock, limits.reportSoonMs, stopping)
        news = false
        wake = new AbortController()
        const now = mode
        if (now !== undefined) {
          const failure = await tell().then(() => undefined, messageOf)
          if (failure !== undefined && !failed) warn(`This host cannot tell of itself: ${failure}`)
          failed = failure !== undefined
        }
        if (now !== mode) continue
        const waitMs = now === 'regularly' || failed ? limits.reportMs : limits.reportLookMs
        // Without a wish there is nothing to wait for but the next one
        await (now === undefined ? aborted(wake.signal) : pause(clock, waitMs, wake.signal))
      }
    },
  }
}

/** A reason may be long, and it is told again with each report; what an actor was started from is told to nobody. */
const REASON_MAX = 200
const shortly = (one: HostState['actors'][number]): HostState['actors'][number] =>
  ({ ...one, reason: one.reason.slice(0, REASON_MAX), version: '' })

const aborted = (signal: AbortSignal): Promise<void> => new Promise((resolve) => {
  if (signal.aborted) return resolve()
  signal.addEventListener('abort', () => resolve(), { once: true })
})
