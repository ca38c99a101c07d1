import { verifyLinkCertificate, type CertifiedPeer } from './link/certificate.ts'
import type { Clock, Keys, VerifyKey } from './platform/ports.ts'
import type { StartMessage, TrustedDevice } from './worker.ts'

type Role = TrustedDevice['role']
type Rules = Pick<StartMessage, 'zone' | 'devices' | 'kernelActors' | 'kernelRuntimeTypes'>

/** Whose certificates an actor accepts. Its supervisor says which hosts there are, again when that changes. */
export class KnownDevices {
  readonly #start: Rules
  readonly #keys: Keys
  readonly #clock: Clock
  #devices: ReadonlyMap<string, TrustedDevice> = new Map()
  /** Of hosts that were asked for: another number for each key and role that one had. */
  readonly #since = new Map<string, number>()
  #changes = 0
  /** Imported when the first certificate comes. */
  readonly #imported = new Map<string, VerifyKey>()

  constructor(start: Rules, { keys, clock }: { readonly keys: Keys; readonly clock: Clock }) {
    this.#start = start
    this.#keys = keys
    this.#clock = clock
    this.replace(start.devices)
  }

  role(host: string): Role | undefined {
    return this.#devices.get(host)?.role
  }

  /** The same for as long as the host is the same; what began on another number is not to be trusted. */
  since(host: string): number | undefined {
    if (!this.#devices.has(host)) return undefined
    const since = this.#since.get(host) ?? ++this.#changes
    this.#since.set(host, since)
    return since
  }

  /** Answers with those that are gone, or no longer the same. */
  replace(devices: readonly TrustedDevice[]): ReadonlySet<string> {
    const next = byHost(devices)
    const gone = new Set<string>()
    for (const [host, { role, jwk }] of this.#devices) {
      const now = next.get(host)
      if (now?.role === role && now.jwk.x === jwk.x) continue
      gone.add(host)
      this.#imported.delete(host)
      this.#since.delete(host)
    }
    this.#devices = next
    return gone
  }

  /** Chain owner → device → actor; kernel names and types only from an OOD. @throws HandshakeFailed */
  verify(text: string): CertifiedPeer {
    const { zone, kernelActors, kernelRuntimeTypes } = this.#start
    return verifyLinkCertificate(text, {
      keys: this.#keys, zone, nowMs: this.#clock.now(), device: (host) => this.#device(host),
      allows: (_host, role, actor, runtimeType) =>
        role === 'ood' || !(kernelActors.includes(actor) || kernelRuntimeTypes.includes(runtimeType)),
    })
  }

  #device(host: string): { role: Role; key: VerifyKey } | undefined {
    const device = this.#devices.get(host)
    if (!device) return undefined
    const key = this.#imported.get(host) ?? this.#keys.importJwk(device.jwk)
    this.#imported.set(host, key)
    return { role: device.role, key }
  }
}

const indexes = new WeakMap<readonly TrustedDevice[], ReadonlyMap<string, TrustedDevice>>()

/** All who were told the same list share one index of it: there may be a thousand hosts in it, known to as many. */
function byHost(devices: readonly TrustedDevice[]): ReadonlyMap<string, TrustedDevice> {
  const index = indexes.get(devices) ?? new Map(devices.map((device) => [device.host, device]))
  indexes.set(devices, index)
  return index
}
