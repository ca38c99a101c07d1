import type { Keys, PublicJwk } from '../../../runtime/platform/ports.ts'
import { readDeviceBy } from '../../read-device.ts'
import type { DeviceDocument } from '../../records.ts'
import { verifyZoneDocument } from '../../zone-document.ts'
import { JoinRefused } from '../protocol.ts'

/** Documents in the ENV of the vault, as its supervisor has them of the folder. */
export interface OwnDocuments {
  readonly zone: string
  readonly device: string
}

/** What the vault knows of the owner by itself: nobody who calls it can tell it another root key. */
export interface OwnerWord {
  /** Thumbprint of the device key of this OOD. */
  readonly device: string
  /** Of a document by which the owner makes this key an OOD of this name. @throws JoinRefused `approval` */
  demand(document: string, host: string, key: PublicJwk): void
  /** The device that the document names, where the owner signed it; else undefined. */
  read(document: string): DeviceDocument | undefined
}

const not = (what: string): Error => new JoinRefused(`The owner has not approved this host: ${what}`, {
  reason: 'approval',
})

/** @throws JoinRefused where the vault runs without the documents of a zone */
export function ownerWordOf(keys: Keys, zone: string, given: OwnDocuments): OwnerWord {
  const verdict = verifyZoneDocument(keys, given.zone)
  if (!verdict.accepted || verdict.payload.zone !== zone) throw not('the vault does not know the owner key')
  const readDevice = readDeviceBy(keys, verdict.payload)
  const own = readDevice(given.device)
  if (own?.role !== 'ood') throw not('the vault does not run on an OOD')
  const read: OwnerWord['read'] = (document) => {
    const device = readDevice(document)
    // The enrolment key stands for nodes; it never has the owner’s word for an OOD
    return device?.enrolment === undefined ? device : undefined
  }
  return {
    device: keys.importJwk(own.key).kid, read,
    demand(document, host, key) {
      const device = read(document)
      if (!device) throw not('the owner key did not sign the document')
      if (device.name !== host) throw not(`the document is for ${device.name}`)
      if (device.role !== 'ood') throw not(`the document is for a host of the role ${device.role}`)
      if (device.key.x !== key.x) throw not('the document is for another device key')
    },
  }
}
