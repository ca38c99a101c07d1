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
const TRUST = 'test/actors/uplink-trust.test.ts'
const CHAIN = 'the next certificate of the control plane ends at a root by what came with it, or is not taken'
const KNOWN =
  'faults of a chain whose authority is known are fatal at connection; a list that has ended is none'
const STAYS = 'what was revoked stays so: left out, in an older list, and after a restart'
const SINGLE = 'a list that is not sound is passed over, and the others are taken'
const RENEWAL = 'test/actors/uplink-failover.test.ts'
const DOCUMENTS = 'test/actors/uplink-documents.test.ts'
const OWNERS = 'documents that are not the owner’s, or older, are not taken'
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
      '(kernelActors as readonly string[]).includes(what)', 'false', OPENS,
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
    ['only a host of the control plane is one', "if (named?.role !== 'ood') {", 'if (!named) {', TOLD],
  ),
  ...guardsOf('actors/uplink/trust.ts', TRUST,
    [
      'the chain of a control plane is judged whole', 'throw distrust(`The certificate of ${named.name} is not good',
      'void distrust(`The certificate of ${named.name} is not good', CHAIN,
    ],
    [
      'only TLS has judged a chain by authorities that are not known',
      'if (presented === undefined && issuers.length === 0)', 'if (issuers.length === 0)', CHAIN,
    ],
    ['and none whose authority is known', 'presented === undefined && issuers.length === 0',
      'presented === undefined', KNOWN],
    ['a revoked control plane is none', 'if (revocations.revoked(leaf)) throw', 'if (false) throw', KNOWN],
    [
      'nor one by a revoked authority', '.filter((each) => !revocations.revoked(each))', '',
      'whom a revoked authority has signed is no control plane, shown with it or not',
    ],
  ),
  ...guardsOf('actors/uplink/revocations.ts', TRUST,
    ['an older list takes nothing back', 'if ((lists.get(key)?.number ?? -1) < list.number) lists', 'lists', STAYS],
    ['what is left out is not taken back', 'lists = new Map(lists)', 'lists = new Map()', STAYS],
    ['a list is by an authority of the zone', 'if (!isSigned) throw', 'if (false) throw', SINGLE],
    [
      'and by the key that it names', ' && list.verify(keys.certificates.importSpki(signer.spki))', '', SINGLE,
    ],
    ['an authority is below a root of ours', 'passed.push(messageOf(error))\n          return false',
      'return true', SINGLE],
  ),
  ...guardsOf('actors/uplink/connection.ts', RENEWAL,
    [
      'a renewal ends at a root by what came with it', 'isWhole: true }', 'isWhole: false }',
      'a certificate that the control plane made for itself is not its next one',
    ],
    ['and by a timer', 'if (!over.signal.aborted) judge()', '',
      'a live control plane is judged again from time to time'],
    [
      'renewal does not hold up the next server',
      'void renewing()\n    void judging()\n    const reason = await end.closed\n    over.abort()',
      'const renewals = renewing()\n    const reason = await end.closed\n    over.abort()\n    await renewals',
      'a renewal that is not answered does not hold up the next server',
    ],
  ),
  ...guardsOf('actors/uplink/documents.ts', DOCUMENTS,
    ['documents of the zone are by its owner key', 'next?.root.x !== first.root.x', '!next', OWNERS],
    ['an older zone document is not taken', 'next.iat < newest.iat || next.epoch < newest.epoch', 'false', OWNERS],
    ['a control plane is of the owner’s documents', "one?.role === 'ood'", 'true', OWNERS],
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
