import { guardsOf, type Guard } from '../guard.ts'

/** Certificates of a zone and of its etcd, and the way there. */
export const genPems: readonly Guard[] = [
  ...guardsOf('boot/config-rk8s.ts', 'test/boot/config-rk8s.test.ts', [
    'hosts are told of something that they can connect to',
    'if (addr !== undefined && isEvery(serverOf(addr).hostname)) {', 'if (false) {',
  ]),
  ...guardsOf('boot/etcd/dangerous.ts', 'test/boot/etcd-dangerous.test.ts', [
    'who starts is told of keys of members that have gone', 'if (removed.at(-1) === key) memberKeys.push(key)', '',
    'who starts is told which keys of members have gone, what needs a copy, and how to keep them',
  ]),
  ...guardsOf('boot/commands/join-given.ts', 'test/server-certificate.test.ts', [
    'an OOD that joins is reached by something', 'if (!isEvery(serverOf(address).hostname)) return address',
    'return address', 'an OOD that joins is reached by something that there is',
  ]),
  ...guardsOf('actors/vault/pki/wish.ts', 'test/server-certificate.test.ts', [
    'an OOD is certified by no name that its config does not have', '...(hostnames ? zone.hostnames : [])',
    "...(hostnames ? ['*'] : [])", 'it is for the host, and for the name or address of `addr`',
  ]),
  ...guardsOf('boot/config-rk8s.ts', 'test/boot/config-rk8s.test.ts',
    [
      'with TLS every endpoint is https', 'if (plain >= 0) {', 'if (false) {',
      'plain HTTP with TLS is refused in one line that says where and what',
    ],
    [
      'a member of etcd is named once', 'if (twice >= 0) return', 'if (false) return',
      'a member that is there twice is refused in one line that says where and what',
    ],
  ),
  ...guardsOf('boot/config-faults.ts', 'test/boot/config-rk8s.test.ts',
    [
      'no message shows a password', "SECRET.test(name) ? 'something else' : shown(found)", 'shown(found)',
      'a password that is a number, which is not shown is refused in one line that says where and what',
    ],
  ),
  ...guardsOf('boot/etcd/etcd-config.ts', 'test/boot/gen-pems.test.ts',
    [
      'certificates are made for an etcd with TLS', 'if (!tls.enable) {', 'if (false) {',
      'a config without TLS is refused before anything is made',
    ],
  ),
  ...guardsOf('boot/etcd/certificates.ts', 'test/boot/gen-pems-repairs.test.ts',
    [
      'a key that others can read is replaced', '(mode & 0o077) !== 0', 'false',
      'a key that others can read is made anew, and nothing else',
    ],
    [
      'a certificate that stays is for its key', 'if (!own) return', 'if (false) return',
      'a certificate of another member is made anew, and nothing else',
    ],
    [
      'a certificate that stays is for its names', 'if (!coversNames(leaf, wanted)) return', 'if (false) return',
      'the pair of another member is made anew, and nothing else',
    ],
    [
      'a key of this host is here', 'if (pair.key === undefined && !wanted.handedOut) return', 'if (false) return',
      'a key of this host that is missing is made anew, and nothing else',
    ],
  ),
  ...guardsOf('boot/etcd/certificates.ts', 'test/boot/gen-pems.test.ts',
    [
      'past half of its life a certificate is renewed', 'if (now > notBefore + (notAfter - notBefore) / 2) return',
      'if (false) return', 'a certificate past half of its life is to be made anew, and one that has ended says so',
    ],
  ),
  ...guardsOf('boot/etcd/anchor.ts', 'test/boot/gen-pems-owner.test.ts',
    [
      'only the owner key of this zone signs for the anchor',
      'if (owner.public.jwk.x !== zone.root.x) {', 'if (false) {',
      'the owner key signs from where it is kept, by its passphrase, and without it nothing is begun',
    ],
    [
      'an anchor document is the owner’s word', 'return verdict.accepted && verdict.payload.zone',
      'return verdict.accepted || !verdict.accepted || verdict.payload.zone',
      'an anchor document of another zone, or of another key, is signed anew',
    ],
  ),
  ...guardsOf('boot/etcd/pair.ts', 'test/boot/pair.test.ts',
    [
      'a replacement that was cut short is finished before the pair is read',
      'await finish(files, names)\n  const [certificate, key]', 'const [certificate, key]',
      'ended after the key is in its place, it is the one pair or the other',
    ],
    [
      'the certificate of an attempt that was given up goes first', 'await files.remove(next(names.certificate))', '',
      'a new key is never taken with the certificate of another attempt',
    ],
  ),
  ...guardsOf('boot/etcd/recover.ts', 'test/boot/recover-etcd.test.ts',
    [
      'recover begins no zone', 'if ((await files.mode(file.identity)) !== undefined) return init', 'return init',
      'a folder without a zone is not begun, and one that is in use is left alone',
    ],
  ),
  ...guardsOf('boot/etcd/recover.ts', 'test/boot/etcd-inventory.test.ts',
    [
      'what is signed without the vault is remembered',
      'await rememberUnrecorded(files, { role: asked.role, pem: issued.certificate })', '',
      'what was signed without the vault is in its inventory after the next start, and once',
    ],
  ),
  ...guardsOf('actors/vault/recovery.ts', 'test/boot/etcd-inventory.test.ts',
    [
      'only certificates of the vault’s authorities are taken over', 'if (!signer) throw',
      'if (!signer) continue\n    if (all.length === 0) throw',
      'a certificate of another authority is not taken into the inventory',
    ],
    [
      'no authority of others is taken over', 'if (!isOwn) throw', 'if (false) throw',
      'an authority that is not the vault’s own is not taken over, although the vault’s key has signed it',
    ],
    [
      'a certificate of the CA is replaced by one that lasts longer',
      'if (notAfter <= of.certificate.notAfter) return false',
      'if (false) return false', 'another certificate of the CA is the vault’s own after the next start',
    ],
  ),
  ...guardsOf('actors/vault/recovery.ts', 'test/boot/recover-etcd.test.ts',
    [
      'a CA that ends before what it signs gets another certificate',
      'if (signer.certificate.notAfter >= now + leastMs) return', 'if (true) return',
      'after the end of the CA itself it gets another certificate for the same key, which lasts',
    ],
  ),
  ...guardsOf('actors/vault/handlers/recovery.ts', 'test/limits/etcd-inventory.test.ts',
    [
      'certificates are taken over in bounded numbers', 'if (certificates.length > limits.unrecordedCertificates) {',
      'if (false) {', 'of more than the vault takes at once the rest follows; more at once is refused',
    ],
  ),
  ...guardsOf('boot/etcd/dangerous.ts', 'test/boot/etcd-dangerous.test.ts',
    [
      'dangerous files are kept where the config says so',
      "config.tls.keepDangerousFiles ? 'keep_dangerous_files is true'",
      "false ? 'keep_dangerous_files is true'", 'kept files are kept, all of them, and it is said which',
    ],
    [
      'a member’s key goes when the member has it', '!has ?', 'false ?',
      'a member that shows its certificate has its key; one that does not, or is here, keeps it here',
    ],
    [
      'a member on this machine keeps its key', 'theirs.isHere ?', 'false ?',
      'a member that shows its certificate has its key; one that does not, or is here, keeps it here',
    ],
    [
      'the owner key goes only where it is not the only one', 'return isOwn ?', 'return false ?',
      'the owner key goes only where another copy of it was given',
    ],
    [
      'another key is no copy of the owner key',
      'if (keyFileOf(keys, given.pem) !== keyFileOf(keys, new TextDecoder().decode(own))) {', 'if (false) {',
      'the owner key goes only where another copy of it was given',
    ],
  ),
  ...guardsOf('boot/etcd/credentials.ts', 'test/boot/etcd-reach.test.ts',
    [
      'a certificate that has ended is not tried', 'if (platform.clock.now() > notAfter) {', 'if (false) {',
      'a certificate of ours that has ended says so before anything is tried, and where to go',
    ],
  ),
  ...guardsOf('boot/etcd/renewal.ts', 'test/boot/etcd-renewal.test.ts',
    [
      'credentials that were not taken are given again', 'if (!this.#unswapped) return', 'return',
      'new credentials that somebody did not take yet are given again, without another certificate',
    ],
    [
      'a certificate is renewed when it is due', 'if (dueMs > 0) return', 'if (false) return',
      'before half of its life nothing happens; by 80 % it is renewed, on the disk and with who uses it',
    ],
  ),
  ...guardsOf('boot/etcd/put.ts', 'test/boot/put-file.test.ts', [
    'what others can read is written again', '((await files.mode(name) ?? 0) & ~mode) === 0', 'true',
    'what others could read, and what has another text, is written again',
  ]),
]
