import { readDeviceBy, readEnrolmentCertificate } from '../../actors/read-device.ts'
import type { DeviceDocument, DeviceRole } from '../../actors/records.ts'
import type { JoinAnswer } from '../../actors/join-protocol.ts'
import { verifyZoneDocument, type ZoneDocument } from '../../actors/zone-document.ts'
import type { Keys, PublicJwk } from '../../runtime/platform/ports.ts'
import { NotAZone } from '../errors.ts'

/** What a host has of its zone beside its certificate: the owner key stands for all of it. */
export interface HostStanding {
  /** As the owner signed it. */
  readonly zoneDocument: string
  readonly zone: ZoneDocument
  /** Of this host. */
  readonly document: string
  /** Device documents of the OODs. */
  readonly oods: readonly string[]
  /** The OODs' certificates of the key that registers hosts. */
  readonly certificates: readonly string[]
}

export interface StandingFor {
  readonly zone: string
  readonly host: string
  readonly role: DeviceRole
  /** The device key of this host. */
  readonly key: PublicJwk
  /** The owner key, where it is known: of an earlier answer, or from who gave the token. */
  readonly owner?: PublicJwk | undefined
}

/** Judges what the control plane told as if it came from anybody. @throws NotAZone */
export function readStanding(
  keys: Keys, { zoneDocument, document, oods, certificates }: Pick<JoinAnswer, keyof Omit<HostStanding, 'zone'>>,
  { zone: name, host, role, key, owner }: StandingFor,
): HostStanding {
  const verdict = verifyZoneDocument(keys, zoneDocument)
  if (!verdict.accepted || verdict.payload.zone !== name) throw new NotAZone('The document of the zone is not sound')
  const zone = verdict.payload
  if (owner !== undefined && owner.x !== zone.root.x) {
    throw new NotAZone('The zone has another owner key than it had, or than the token was made under')
  }
  const readDevice = readDeviceBy(keys, zone)
  const mine = readDevice(document)
  if (mine?.name !== host || mine.role !== role || mine.key.x !== key.x) {
    throw new NotAZone('The device document that was given is not for this host')
  }
  const controlPlane = oods.map(readDevice)
  if (!controlPlane.every(isOod) || controlPlane.length === 0) {
    throw new NotAZone('The documents that were given are not those of the control plane')
  }
  // What its own document stands by was judged with that
  const { enrolment } = mine
  const isOwn = (text: string): boolean => enrolment?.certificate === text && oods.includes(enrolment.ood)
  const isGood = (text: string): boolean =>
    isOwn(text) || controlPlane.some((ood) => readEnrolmentCertificate(keys, text, ood) !== undefined)
  if (!certificates.every(isGood)) throw new NotAZone('No OOD stands for the key that registers hosts')
  return { zoneDocument, zone, document, oods: [...oods], certificates: [...certificates] }
}

const isOod = (document: DeviceDocument | undefined): document is DeviceDocument => document?.role === 'ood'
