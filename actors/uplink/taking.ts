import type { ActorStart } from '../../runtime/actor.ts'
import { messageOf, TlsNotTrusted } from '../../runtime/errors.ts'
import type { TellKind } from '../../transport/tunnel/protocol.ts'
import type { Documents } from './documents.ts'
import type { UplinkTrust } from './trust.ts'

/**
 * What the control plane tells over a tunnel, judged and kept.
 * @returns whether it was a list of the control plane's hosts, and a good one
 */
export function taking({ trust, hosts, log }: {
  readonly trust: Pick<UplinkTrust, 'takeRoots' | 'takeRevocations'>
  readonly hosts: Pick<Documents, 'takeHosts'>
  readonly log: ActorStart['log']
}): (kind: TellKind, document: string) => Promise<boolean> {
  return async (kind, document) => {
    try {
      if (kind === 'roots') await trust.takeRoots(document)
      if (kind === 'hosts') {
        const fault = await hosts.takeHosts(document)
        if (fault !== undefined) log.warn(`What the control plane tells of its hosts is not taken: ${fault}`)
        return fault === undefined
      }
      if (kind === 'revocation-lists') {
        const passed = await trust.takeRevocations(document)
        if (passed.length > 0) log.warn(`Of the revocation lists ${passed.length} are passed over: ${passed[0]}`)
      }
    } catch (error) {
      // What could not be kept holds all the same, and the control plane is judged by it
      log.warn(`What the control plane tells is not ${error instanceof TlsNotTrusted ? 'taken' : 'kept'}: ${
        messageOf(error)}`)
    }
    return false
  }
}
