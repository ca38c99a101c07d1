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
  #devices = new Map<string, TrustedDevice>()
  /** Another number for each key and role that a host had. */
  #since = new Map<string, number>()
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
    return this.#since.get(host)
  }

  /** Answers with those that are gone, or no longer the same. */
  replace(devices: readonly TrustedDevice[]): ReadonlySet<string> {
    const next = new Map(devices.map((device) => [device.host, device]))
    const gone = new Set<string>()
    for (const [host, { role, jwk }] of this.#devices) {
      const now = next.get(host)
      if (now?.role === role && now.jwk.x === jwk.x) continue
      gone.add(host)
      this.#imported.delete(host)
    }
    const before = this.#since
    this.#since = new Map([...next.keys()].map((host) =>
      [host, gone.has(host) ? ++this.#changes : before.get(host) ?? ++this.#changes]))
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
