/** Tunnels between hosts: who is let in, what they may open, and whom a host takes for its control plane. */
import { guardsOf, type Guard } from '../guard.ts'

const ADMISSION = 'test/tunnel-admission.test.ts'
const REVOCATION = 'test/tunnel-revocation.test.ts'
const NAMED = 'a host that says it is another one, or of another zone, is refused'
const REGISTERED = 'a host that is not registered, or for another role, is refused'
const OPENS = 'a host opens links for its own actors, and none to the control plane but those two'
const POLICY =
  'what the policy takes from hosts, or from their owners, they do not open; the chain says why'
const LISTED = 'a certificate that is revoked by itself ends the tunnel as well, by the list alone'
const TOLD = 'a host is told of roots and revocations, at once and anew, and takes what the zone has signed'
const FOLDER = 'test/boot/host-folder.test.ts'

export const uplink: readonly Guard[] = [
  ...guardsOf('actors/enrolment/tunnels/admission.ts', ADMISSION,
    ['a host is who its certificate names', 'said.host !== host.name', 'false', NAMED],
    [
      'only who is registered is let in', "if (!document) throw refuse('tunnel/unregistered'",
      "if (false) throw refuse('tunnel/unregistered'", REGISTERED,
    ],
    ['a host has the role that it is registered for', 'if (document.role !== host.role) {', 'if (false) {', REGISTERED],
    [
      'a node opens streams for its own actors', "if (caller.host === host.name || host.role === 'ood') return",
      'return', OPENS,
    ],
    [
      'a node reaches no kernel actor but those two',
      "role !== 'ood' && (kernelActors as readonly string[]).includes(what)", 'false', OPENS,
    ],
    [
      'the policy decides for whom the device belongs to',
      "enforcer.demandOf({ ...speaker, sub: owner, runtimeType: 'user' }, 'write', resource, before)", '', POLICY,
    ],
  ),
  ...guardsOf('actors/enforcement/enforcer.ts', ADMISSION,
    [
      'a stream that the policy denies is not opened',
      'if (!allowed) throw denials.denied([before, ...chain])', '', POLICY,
    ],
  ),
  ...guardsOf('actors/enrolment/tunnels/tunnels.ts', REVOCATION,
    ['the list is read anew while tunnels live', 'await trust.refresh()', 'await Promise.resolve()', LISTED],
  ),
  ...guardsOf('actors/enrolment/tunnels/tunnels.ts', ADMISSION,
    ['a tunnel that is not let in any more is closed', 'one.end.close(error.message)', '', REGISTERED],
    ['one host has one tunnel', "before?.end.close('the host has connected anew')", '',
      'a host that connects anew takes the place of its former tunnel'],
  ),
  ...guardsOf('actors/uplink/trust.ts', REVOCATION,
    ['roots are an anchor’s to say', 'if (verdict.accepted) return verdict.set', 'return (verdict as never)[\'set\']',
      TOLD],
    ['a list is by an authority of the zone', 'signers.some((signer) => list.verify(signer))', 'true', TOLD],
    ['an older list takes nothing back', 'if (older) throw', 'if (false) throw', TOLD],
    ['only a host of the control plane is one', "if (named?.role !== 'ood') {", 'if (!named) {', TOLD],
  ),
  ...guardsOf('boot/host/folder.ts', FOLDER,
    [
      'documents of the control plane are the owner’s', "if (!oods.every((one) => one?.role === 'ood')) return",
      'if (false) return',
    ],
    ['the document of a host is of the zone', "if (!document) return 'the document of this host does not verify'", ''],
    ['and of that host', 'document.name !== contents.host || ', ''],
    ['and for its role', ' || document.role !== contents.role', ''],
    ['the zone is that of the file', 'if (zone.payload.zone !== contents.zone) return', 'if (false) return'],
  ),
]
