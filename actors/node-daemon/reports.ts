import { messageOf } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import type { Clock } from '../../runtime/platform/ports.ts'
import type { Infer } from '../../runtime/protocol.ts'
import type { MachineState } from '../../runtime/supervision.ts'
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
  readonly write: (key: string, value: string) => Promise<void>
  readonly warn: (message: string) => void
}

/** What this host tells of itself, as often as its config says: regularly, or when where it is reached has changed. */
export function createReports({ host, incarnation, means, clock, stopping, machine, write, warn }: ReportsOptions) {
  let mode: NodeConfig['report']
  let wake = new AbortController()
  stopping.addEventListener('abort', () => wake.abort())
  let report = 0
  let told: string | undefined
  let failed = false
  const tell = async (): Promise<void> => {
    const state = await machine()
    const where = state.addresses.join(' ')
    if (mode === undefined || (mode === 'changes' && where === told)) return
    const info: DeviceInfo = { name: host, ...state, ...means, report: ++report, incarnation }
    await write(kv.deviceInfo(host), JSON.stringify(info))
    told = where
  }
  return {
    wanted(next: NodeConfig['report']): void {
      if (next === mode) return
      mode = next
      wake.abort()
    },
    /** Until the daemon stops. A report that fails is left out: the next one says the same. */
    async run(): Promise<void> {
      while (!stopping.aborted) {
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

const aborted = (signal: AbortSignal): Promise<void> => new Promise((resolve) => {
  if (signal.aborted) return resolve()
  signal.addEventListener('abort', () => resolve(), { once: true })
})
