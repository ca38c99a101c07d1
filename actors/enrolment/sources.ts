import type { ActorStart } from '../../runtime/actor.ts'
import { limits } from '../../runtime/limits.ts'
import type { Clock } from '../../runtime/platform/ports.ts'
import type { HttpRequest, HttpResponse } from '../../runtime/platform/ports.ts'
import { formatIp, isMappedIpv4, parseIp } from '../../runtime/x509/ip.ts'
import { json } from './answers.ts'
import type { KnownHost, ZoneTrust } from './trust.ts'

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
export function sourceOf(address: string): string {
  const bytes = parseIp(address.replace(/%.*$/, ''))
  if (!bytes) return address
  if (isMappedIpv4(bytes)) return formatIp(bytes.subarray(12))
  return formatIp(bytes.length === 4 ? bytes : Uint8Array.from(bytes, (byte, index) => (index < 8 ? byte : 0)))
}

/** Who may ask how often: an address without a certificate, one with certificates, and each host. */
export interface Admitting {
  /** What an address is answered that has asked too often, if it has. */
  stranger(request: HttpRequest): HttpResponse | undefined
  /** Strangers behind the same address take nothing from hosts. @throws HostCertificateNeeded */
  host(
    request: HttpRequest, certificate: Uint8Array, answer: (host: KnownHost) => Promise<HttpResponse>,
  ): Promise<HttpResponse>
}

export function createAdmitting({ clock, count, hostOf, nameOf }: Pick<ActorStart, 'clock' | 'count'>
  & Pick<ZoneTrust, 'hostOf' | 'nameOf'>): Admitting {
  const [strangers, certified] = [new Sources(clock), new Sources(clock)]
  const hosts = new Sources(clock, limits.enrolmentPerHost)
  const flood = (waitMs: number, from: string): HttpResponse | undefined => {
    if (waitMs === 0) return undefined
    count('join_refused_total{reason="flood"}')
    const seconds = String(Math.ceil(waitMs / 1_000))
    const error = `Too many requests from this ${from}: wait ${seconds} s`
    return json(429, { error, code: 'Overloaded', retryMs: waitMs }, { 'retry-after': seconds })
  }
  return {
    stranger: ({ remoteAddress }) => flood(strangers.waitMs(remoteAddress), 'address'),
    async host({ remoteAddress }, certificate, answer) {
      // By what it says of itself, which TLS has seen to be the zone's: one that is revoked takes nothing from others
      const tooMany = flood(certified.waitMs(nameOf(certificate) ?? remoteAddress), 'host')
      if (tooMany) return tooMany
      const host = await hostOf(certificate)
      return flood(hosts.waitMs(host.name), 'host') ?? answer(host)
    },
  }
}
