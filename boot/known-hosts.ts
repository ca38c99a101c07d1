import { readDeviceBy, type ReadDevice } from '../actors/read-device.ts'
import { digestOfDigests, digestOfText, kv, type DeviceDocument } from '../actors/records.ts'
import { isReserved } from '../actors/trust-matrix.ts'
import type { ZoneDocument } from '../actors/zone-document.ts'
import { limits } from '../runtime/limits.ts'
import type { Keys } from '../runtime/platform/ports.ts'
import type { TrustedDevice } from '../runtime/worker.ts'

/** By key of `kv://`. */
export type DeviceDocuments = Readonly<Record<string, string>>

/** What is known of a document: whom it makes trusted, if anybody, and its digest. */
interface Checked { readonly device: TrustedDevice | undefined; readonly digest: string }

interface List { readonly documents: DeviceDocuments; readonly devices: readonly TrustedDevice[] }

/**
 * Reads device documents: only what this zone's owner or its enrolment signed counts, and only where it belongs. Each
 * is checked once in a process. All hosts that are told the same share one list, which nobody can change.
 */
export class KnownHosts {
  readonly #keys: Keys
  readonly #readDevice: ReadDevice
  readonly #checked = new Map<string, Checked>()
  /** By the digest of the documents that each was read from: no host can give another one a list of its own making. */
  readonly #lists = new Map<string, List>()

  constructor(keys: Keys, zone: Pick<ZoneDocument, 'zone' | 'root'>) {
    this.#keys = keys
    this.#readDevice = readDeviceBy(keys, zone)
  }

  /** In the order of the documents; one that lies under the name of another host registers nobody. */
  read(documents: DeviceDocuments): { readonly devices: readonly TrustedDevice[]; readonly digest: string } {
    const items = Object.entries(documents).map(([key, text]) => [key, this.#check(text)] as const)
    const digest = digestOfDigests(this.#keys, items.map(([key, checked]) => [key, checked.digest]))
    const before = this.before(digest)
    if (before) return { devices: before, digest }
    const devices = Object.freeze(items.flatMap(([key, { device }]) =>
      (device && kv.device(device.host) === key ? [device] : [])))
    if (this.#lists.size >= limits.deviceLists) this.#lists.delete(this.#lists.keys().next().value!)
    this.#lists.set(digest, { documents, devices })
    return { devices, digest }
  }

  /** As `read`, of the documents of that digest with these changes; undefined where they are not remembered. */
  change(from: string, put: DeviceDocuments, gone: readonly string[]): ReturnType<KnownHosts['read']> | undefined {
    const before = this.#lists.get(from)
    if (!before) return undefined
    const documents = new Map([...Object.entries(before.documents), ...Object.entries(put)])
    for (const key of gone) documents.delete(key)
    // In order of their keys, as they are listed
    return this.read(Object.fromEntries([...documents].sort(([a], [b]) => (a < b ? -1 : 1))))
  }

  /** What was read from the documents of this digest, if that is remembered. */
  before(digest: string): readonly TrustedDevice[] | undefined {
    return this.#lists.get(digest)?.devices
  }

  #check(text: string): Checked {
    const known = this.#checked.get(text)
    if (known) return known
    // The oldest is checked again when it comes again
    if (this.#checked.size >= limits.deviceDocuments) this.#checked.delete(this.#checked.keys().next().value!)
    const document = this.#readDevice(text)
    const device = document && !isReserved(document.name) ? trusted(document) : undefined
    const checked = { device, digest: digestOfText(this.#keys, text) }
    this.#checked.set(text, checked)
    return checked
  }
}

/** A client device runs no actors: nobody takes a link certificate by its key. */
const trusted = ({ name: host, role, key }: DeviceDocument): TrustedDevice | undefined =>
  (role === 'client-device' ? undefined : Object.freeze({ host, role, jwk: Object.freeze({ ...key }) }))
