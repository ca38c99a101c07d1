import { protocol } from '../../runtime/protocol.ts'
import { krpcCall } from '../krpc-protocol.ts'

/** Keeps the zone's authorities and certificates; what people may ask of it is in its table of kRPC. */
export const CertManager = protocol('cert-manager', {
  krpc: krpcCall(),
})
