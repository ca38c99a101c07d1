import { bootStep } from '../actors/boot-steps.ts'
import type { StepEvent, Trace } from '../runtime/trace.ts'

/** Where a host is reached by HTTP. */
export interface Address {
  readonly hostname: string
  readonly port: number
}

/** Where the gateway of a host serves now: it tells that at each of its starts. The port is 0 before the first. */
export class GatewayAddress {
  now: Address = { hostname: '', port: 0 }
  readonly #trace: Trace
  readonly #host: string

  constructor(trace: Trace, host: string) {
    this.#trace = trace
    this.#host = host
    trace.on('step', this.#follow)
  }

  get url(): string | undefined {
    return this.now.port === 0 ? undefined : urlOf(this.now)
  }

  close(): void {
    this.#trace.off('step', this.#follow)
  }

  readonly #follow = ({ sequence, number, host, evidence }: StepEvent): void => {
    if (sequence !== 'boot' || number !== bootStep.gatewayServing || host !== this.#host) return
    this.now = { hostname: String(evidence['hostname']), port: Number(evidence['port']) }
  }
}

/** For a program of this machine. */
export function urlOf({ hostname, port }: Address): string {
  if (hostname === '0.0.0.0' || hostname === '::') return `http://127.0.0.1:${port}`
  return `http://${hostname.includes(':') ? `[${hostname}]` : hostname}:${port}`
}
