import type { ActorStart, Handlers, Peer } from '../../runtime/actor.ts'
import { deniedBy } from '../../runtime/trust/denial.ts'
import { signDocument } from '../../runtime/trust/keys.ts'
import { enrolmentCertificateType, type EnrolmentCertificate } from '../records.ts'
import type { DeviceSigner } from './device-tokens.ts'
import type { NodeDaemon } from './protocol.ts'

type Certify = Handlers<typeof NodeDaemon, {}>['certifyEnrolment']

/** Only what registers hosts here is given a certificate for a key, and only by an OOD. */
const mayAsk = ({ actor, host, runtimeType }: Peer, self: { readonly host: string }): boolean =>
  actor === 'enrolment' && runtimeType === 'kernel-service' && host === self.host

/** The device key stands for the zone's enrolment key: owner → OOD → enrolment key → node. */
export function certifying(
  { self, env, denials }: Pick<ActorStart, 'self' | 'env' | 'denials'>, signer: DeviceSigner | undefined,
): Certify {
  return ({ key }, { peer }) => {
    const { BUCKYOS_THIS_DEVICE: ood, BUCKYOS_ZONE_DOC: zone } = env
    if (signer === undefined || ood === undefined || zone === undefined || !mayAsk(peer, self)) {
      const detail = `${peer.actor} on ${peer.host}`
      throw denials.denied([deniedBy({
        layer: 'link', reason: 'link/not-admitted', rule: 'node-daemon/certify-enrolment', detail,
      })])
    }
    const iat = Math.floor(signer.clock.now() / 1_000)
    const payload: EnrolmentCertificate = { zone: self.zone, host: self.host, key, iat }
    return { certificate: signDocument(signer.key, enrolmentCertificateType, payload), ood, zone }
  }
}
