import { DeviceDocument, deviceDocumentType } from '../actors/records.ts'
import { isReserved } from '../actors/trust-matrix.ts'
import type { ZoneDocument } from '../actors/zone-document.ts'
import { limits } from '../runtime/limits.ts'
import type { Keys } from '../runtime/platform/ports.ts'
import { verifyDocument } from '../runtime/trust/keys.ts'
import type { TrustedDevice } from '../runtime/worker.ts'

/** Reads device documents: only what the owner key of this zone signed counts. Each is checked once in a process. */
export class KnownHosts {
  readonly #keys: Keys
  readonly #zone: Pick<ZoneDocument, 'zone' | 'root'>
  readonly #checked = new Map<string, TrustedDevice | undefined>()

  constructor(keys: Keys, zone: Pick<ZoneDocument, 'zone' | 'root'>) {
    this.#keys = keys
    this.#zone = zone
  }

  /** In the order of the documents; of two for one host the first counts. */
  read(documents: readonly string[]): readonly TrustedDevice[] {
    const hosts = new Map<string, TrustedDevice>()
    for (const text of documents) {
      const device = this.#device(text)
      if (device && !hosts.has(device.host)) hosts.set(device.host, device)
    }
    return [...hosts.values()]
  }

  #device(text: string): TrustedDevice | undefined {
    if (this.#checked.has(text)) return this.#checked.get(text)
    // The oldest is checked again when it comes again
    if (this.#checked.size >= limits.deviceDocuments) this.#checked.delete(this.#checked.keys().next().value!)
    const { root, zone } = this.#zone
    const verdict = verifyDocument(this.#keys, text, { typ: deviceDocumentType, schema: DeviceDocument, key: root })
    const ours = verdict.accepted && verdict.payload.zone === zone && !isReserved(verdict.payload.name)
    const device = ours
      ? { host: verdict.payload.name, role: verdict.payload.role, jwk: verdict.payload.key } : undefined
    this.#checked.set(text, device)
    return device
  }
}
