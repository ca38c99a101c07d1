import { limits } from '../../runtime/limits.ts'
import type { Clock } from '../../runtime/platform/ports.ts'
import { formatIp, isMappedIpv4, parseIp } from '../../runtime/x509/ip.ts'

interface Window { startMs: number; count: number }

/**
 * Requests of each address in windows of time. Of more addresses than are counted the oldest windows give way; who
 * owns a /64 of IPv6 has one address.
 */
export class Sources {
  readonly #clock: Clock
  readonly #most: number
  readonly #windows = new Map<string, Window>()

  /** @param most requests of one source in one window of `limits.enrolmentWindowMs` */
  constructor(clock: Clock, most: number = limits.enrolmentPerSource) {
    this.#clock = clock
    this.#most = most
  }

  /** Milliseconds until this address may ask again; 0 when it may now, which is counted. */
  waitMs(address: string): number {
    const source = sourceOf(address)
    const now = this.#clock.monotonic()
    const found = this.#windows.get(source)
    if (!found || now - found.startMs >= limits.enrolmentWindowMs) {
      this.#windows.delete(source)
      if (this.#windows.size >= limits.enrolmentSources) this.#windows.delete(this.#windows.keys().next().value!)
      this.#windows.set(source, { startMs: now, count: 1 })
      return 0
    }
    if (found.count >= this.#most) return found.startMs + limits.enrolmentWindowMs - now
    found.count++
    return 0
  }
}

/** One address has many spellings, and `::` hides how long the parts before it are. */
function sourceOf(address: string): string {
  const bytes = parseIp(address.replace(/%.*$/, ''))
  if (!bytes) return address
  if (isMappedIpv4(bytes)) return formatIp(bytes.subarray(12))
  return formatIp(bytes.length === 4 ? bytes : Uint8Array.from(bytes, (byte, index) => (index < 8 ? byte : 0)))
}
