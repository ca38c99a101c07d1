import type { Clock, PublicJwk, SigningKey } from '../../../runtime/platform/ports.ts'
import { signDocument } from '../../../runtime/trust/keys.ts'
import { deviceDocumentType, type DeviceDocument, type EnrolledRole } from '../../records.ts'
import type { Registrar } from '../protocol.ts'

/** The vault's named key by which hosts that join are registered. It leaves the vault by no method. */
export const enrolmentKey = 'enrolment'

export interface Registering {
  readonly zone: string
  readonly clock: Pick<Clock, 'now'>
  /** The enrolment key. */
  readonly signer: () => Promise<SigningKey>
}

/** Who is registered: its role is that of the token, whatever else is asked. */
export interface Registered {
  readonly role: EnrolledRole
  /** Whose it is; else the owner's of the zone. */
  readonly owner?: string | undefined
}

/** Makes the device document of a host. */
export async function documentMaker(
  { zone, clock, signer }: Registering, registrar: Registrar | undefined, { role, owner: user }: Registered,
): Promise<(host: string, key: PublicJwk) => string | undefined> {
  if (registrar === undefined) return () => undefined
  const { owner, ood, certificate } = registrar
  const enrolment = await signer()
  return (name, key) => {
    const iat = Math.floor(clock.now() / 1_000)
    const document: DeviceDocument = {
      zone, name, role, key, owner: user ?? owner, iat, enrolment: { ood, certificate },
    }
    return signDocument(enrolment, deviceDocumentType, document)
  }
}
