import { limits } from '../../../runtime/limits.ts'

/** True milliseconds in which a host that was revoked is cut off, and in which it knows that by the silence. */
export const REVOKED_MS = 5_000 + limits.tunnelRecheckMs
export const SILENT_MS = REVOKED_MS + limits.tunnelSilenceMs + 2_000

export const hostPromises = ['token-once', 'revoked-out'] as const
export type HostPromise = (typeof hostPromises)[number]

/** What was seen of hosts that joined, held against what the zone promises of them. */
export class HostPromises {
  readonly #broken: (promise: HostPromise, detail: string) => void
  /** Device keys by the token that each was given a certificate for. */
  readonly #redeemed = new Map<string, string>()
  /** By machine, since when it is revoked: true milliseconds. */
  readonly #revoked = new Map<string, number>()

  constructor(broken: (promise: HostPromise, detail: string) => void) {
    this.#broken = broken
  }

  /** A token gave a certificate to who holds this device key. */
  redeemed(token: string, kid: string): void {
    const before = this.#redeemed.get(token)
    this.#redeemed.set(token, kid)
    if (before !== undefined && before !== kid) {
      this.#broken('token-once', `token ${token} was redeemed by ${before}, and by ${kid}`)
    }
  }

  /** Its token is said to be used, and nobody else has it: it did not come again as who it is. */
  refused(machine: string): void {
    this.#broken('token-once', `${machine} is refused by its own token`)
  }

  /** It was answered that this machine is no host any more. */
  revoked(machine: string, nowMs: number): void {
    if (!this.#revoked.has(machine)) this.#revoked.set(machine, nowMs)
  }

  isRevoked(machine: string): boolean {
    return this.#revoked.has(machine)
  }

  /** The zone answered what was asked through this machine at that time. */
  answered(machine: string, askedMs: number): void {
    const overMs = askedMs - (this.#revoked.get(machine) ?? Infinity)
    if (overMs > REVOKED_MS) this.#broken('revoked-out', `${machine} was answered ${overMs} ms after it was revoked`)
  }

  /** It says that it has a tunnel. */
  connected(machine: string, nowMs: number): void {
    const overMs = nowMs - (this.#revoked.get(machine) ?? Infinity)
    if (overMs > SILENT_MS) this.#broken('revoked-out', `${machine} has a tunnel ${overMs} ms after it was revoked`)
  }
}
