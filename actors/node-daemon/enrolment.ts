import type { ActorStart, Handlers, Peer } from '../../runtime/actor.ts'
import { limits } from '../../runtime/limits.ts'
import type { Client } from '../../runtime/protocol.ts'
import type { Supervision } from '../../runtime/supervision.ts'
import { deniedBy } from '../../runtime/trust/denial.ts'
import { signDocument } from '../../runtime/trust/keys.ts'
import { enrolmentCertificateType, type EnrolmentCertificate } from '../records.ts'
import type { DeviceSigner } from './device-tokens.ts'
import type { NodeDaemon } from './protocol.ts'

type ForEnrolment = Pick<Handlers<typeof NodeDaemon, {}>, 'certifyEnrolment' | 'joinHook'>

interface Ports extends Pick<ActorStart, 'self' | 'env' | 'denials'> {
  readonly needs: { readonly supervision: Pick<Client<typeof Supervision>, 'joinHook'> }
}

/** What registers hosts here, and nobody else: by its own link, on an OOD. */
const isEnrolment = ({ actor, host, runtimeType }: Peer, self: { readonly host: string }): boolean =>
  actor === 'enrolment' && runtimeType === 'kernel-service' && host === self.host

/** @param signer of an OOD; a node does none of this */
export function forEnrolment({ self, env, denials, needs }: Ports, signer: DeviceSigner | undefined): ForEnrolment {
  const demand = (peer: Peer, what: string): DeviceSigner => {
    if (signer !== undefined && isEnrolment(peer, self)) return signer
    throw denials.denied([deniedBy({
      layer: 'link', reason: 'link/not-admitted', rule: `node-daemon/${what}`, detail: `${peer.actor} on ${peer.host}`,
    })])
  }
  return {
    /** The device key stands for the zone's enrolment key: owner → OOD → enrolment key → node. */
    certifyEnrolment({ key }, { peer }) {
      const { key: device, clock } = demand(peer, 'certify-enrolment')
      const { BUCKYOS_THIS_DEVICE: ood = '', BUCKYOS_ZONE_DOC: zone = '' } = env
      const iat = Math.floor(clock.now() / 1_000)
      const payload: EnrolmentCertificate = { zone: self.zone, host: self.host, key, iat }
      return { certificate: signDocument(device, enrolmentCertificateType, payload), ood, zone }
    },
    joinHook({ question }, { peer }) {
      demand(peer, 'join-hook')
      return needs.supervision.joinHook({ question }, { withinMs: limits.hookMs + HOOK_ANSWER_MS })
    },
  }
}

/** Beyond the program's own time. */
const HOOK_ANSWER_MS = 2_000
