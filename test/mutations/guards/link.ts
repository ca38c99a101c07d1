/** Handshakes, frames and calls. */
import { guardsOf, type Guard } from '../guard.ts'

export const link: readonly Guard[] = [
  ...guardsOf('runtime/actor-host.ts', 'test/runtime/release.test.ts',
    [
      'links of a caller that has died are closed',
      'if (from !== caller.host || name !== caller.actor || number !== caller.incarnation) continue', 'continue',
      'the links of a caller that has died close; those of others, and of its next incarnation, do not',
    ],
    [
      'only links of that caller are closed',
      'if (from !== caller.host || name !== caller.actor || number !== caller.incarnation) continue', '',
      'the links of a caller that has died close; those of others, and of its next incarnation, do not',
    ],
  ),
  ...guardsOf('runtime/actor-host.ts', 'test/runtime/supervisor-remote.test.ts',
    [
      'links to a host that is gone are closed', 'if (gone.has(link.peer.host)) link.close(notRegistered(link.peer))',
      'void gone', 'links of a host that is no longer trusted close at once, and none opens until it is trusted again',
    ],
    [
      'a host that is gone meanwhile is not linked',
      'if (since !== undefined && known.since(link.peer.host) === since) return true',
      'if (since !== null) return true',
      'a handshake that was under way when the key of its host changed gives no link',
    ],
  ),
  ...guardsOf('runtime/actor-host.ts', 'test/runtime/supervisor-starts.test.ts',
    [
      'an actor admits whom it wants', 'if (offeredLife.admit && !offeredLife.admit(link.peer, link.base)) {',
      'if (false) {', 'an actor that does not admit the caller closes the link, and says so',
    ],
  ),
  ...guardsOf('runtime/known-devices.ts', 'test/runtime/link-guards.test.ts',
    [
      'kernel names are from an OOD',
      "role === 'ood' || !(kernelActors.includes(actor) || kernelRuntimeTypes.includes(runtimeType))",
      "true || (kernelActors.includes(actor) && kernelRuntimeTypes.includes(runtimeType) && role === 'ood')",
      'a node may not certify a kernel actor, nor a kernel runtime type; an OOD may',
    ],
  ),
  ...guardsOf('runtime/known-devices.ts', 'test/runtime/supervisor-remote.test.ts',
    [
      'a host with another key is another host', 'if (now?.role === role && now.jwk.x === jwk.x) continue',
      'if (now?.role === role) continue',
      'a handshake that was under way when the key of its host changed gives no link',
    ],
    [
      'a host with another role is another host', 'if (now?.role === role && now.jwk.x === jwk.x) continue',
      'if (now?.jwk.x === jwk.x) continue', 'a host whose key or role has changed is another host: its links close',
    ],
  ),
  ...guardsOf('runtime/link/caller.ts', 'test/runtime/link-guards.test.ts',
    [
      'a caller sends nothing below the suite',
      '    if (!satisfies(link.base, plan.signed, plan.least)) {\n      return this.#fail',
      '    if (false) {\n      return this.#fail',
      'a call that asks for a stronger suite than the link has is not even sent',
    ],
  ),
  ...guardsOf('runtime/link/caller.ts', 'test/runtime/rpc-hostile.test.ts',
    [
      'an answer is to a call that was made',
      '      if (!isCount(id) || id > this.#lastId) throw malformed()\n      return', '      return',
      'a hostile server cannot answer what was not asked',
    ],
  ),
  ...guardsOf('runtime/link/certificate.ts', 'test/runtime/link-certificate.test.ts',
    [
      'a link certificate has a typ of its own', 'if (header.typ !== TYP)', 'if (false)',
      'is not a token: another typ is refused',
    ],
    [
      'a certificate is signed by the device of its host', 'if (!device.key.verify(signingInput, signature))',
      'if (false)', 'is refused when any byte of it changes',
    ],
    ['a certificate is of this zone', 'if (zone !== rules.zone)', 'if (false)', 'is refused: one of another zone'],
    [
      'a device speaks for the actors that it may', 'if (!rules.allows(host, device.role, actor, runtimeType))',
      'if (false)', 'is refused: one for a kernel name from a plain node',
    ],
  ),
  ...guardsOf('runtime/link/certificate.ts', 'test/runtime/link-handshake.test.ts',
    [
      'a certificate is of a known device', "rules.device(host) ?? refuse('unknown device')",
      "rules.device(host) ?? { role: 'ood' as const, key: rules.keys.importJwk(jwk) }",
      'refuses a certificate of an unknown device, an expired one and one of another device',
    ],
    [
      'a certificate names the key of its device', 'if (header.kid !== device.key.kid)', 'if (false)',
      'refuses a certificate of an unknown device, an expired one and one of another device',
    ],
    [
      'a certificate has not expired', 'if (exp * 1000 <= rules.nowMs)', 'if (false)',
      'refuses a certificate of an unknown device, an expired one and one of another device',
    ],
  ),
  ...guardsOf('runtime/link/frame.ts', 'test/limits/links.test.ts',
    [
      'a frame has so many messages and no more', '|| messages.length > limits.batch) return malformed()',
      ') return malformed()',
      'a frame with as many messages as a batch may have is read, one with one more closes the link',
    ],
  ),
  ...guardsOf('runtime/link/frame.ts', 'test/runtime/link-handshake.test.ts',
    [
      'frames that nobody reads are few', 'if (this.#unread.length <= limits.unreadFrames) return',
      'if (this.#unread.length > 0) return', 'keeps what arrives before anybody reads the link, up to a limit',
    ],
  ),
  ...guardsOf('runtime/link/frame.ts', 'test/runtime/link.test.ts',
    [
      'a frame that is rejected closes its link', '      this.#onRejected(error)\n      this.close(error)',
      '      this.#onRejected(error)',
    ],
    [
      'a frame has messages', "if (!Array.isArray(message) || typeof message[0] !== 'number') return malformed()", '',
      'mac over port: a frame too large, of the wrong kind or that is no list of messages is refused',
    ],
    [
      'a message is not too long', 'if (text.length > limits.message) {', 'if (false) {',
      'a message that is too long or not JSON is refused at once and leaves the link open',
    ],
  ),
  ...guardsOf('runtime/link/handshake.ts', 'test/runtime/link-guards.test.ts',
    [
      'a peer is of this zone', 'if (peer.zone !== self.zone)', 'if (false)',
      'a peer of another zone is refused, whatever was said of its certificate',
    ],
    [
      'a peer has another key than ours', 'if (peer.kid === self.key.public.kid)', 'if (false)',
      'a peer that comes with our own key is refused',
    ],
    [
      'a signature of one side is none of the other',
      "utf8(JSON.stringify(['zonewright link handshake', VERSION, role, toBase64url(transcript)]))",
      "utf8(JSON.stringify(['zonewright link handshake', VERSION, toBase64url(transcript)]))",
      'what one side signs is no signature of the other',
    ],
    [
      'a handshake has a time limit',
      "options.clock.after(limits.handshakeMs, () => inbox.fail(failure('no answer in time')))",
      'options.clock.after(limits.handshakeMs, () => {})',
      'nobody waits longer for a peer that says nothing than a handshake may take',
    ],
  ),
  ...guardsOf('runtime/link/handshake.ts', 'test/runtime/link-handshake.test.ts',
    [
      'a handshake is meant for this actor', 'if (first.to.host !== self.host || first.to.actor !== self.actor)',
      'if (false)', 'refuses every handshake in which one character of a message was changed',
    ],
    [
      'a handshake is meant for this incarnation', 'if (first.to.incarnation !== self.incarnation)', 'if (false)',
      'refuses another incarnation of the expected actor, at either end',
    ],
    [
      'an initiator refuses a suite below the minimum',
      'if (!offers.includes(second.suite) || !allowed(channel.kind, options.minimum).includes(second.suite)) {',
      'if (false) {', 'refuses a chosen base below the minimum of the initiator',
    ],
    [
      'a responder refuses a suite below the minimum',
      'const suite = allowed(channel.kind, options.minimum).find((base) => first.offers.includes(base))',
      'const suite = first.offers[0]', 'refuses a peer that offers mac alone on tls',
    ],
    [
      'a MAC is for channels inside a process', "macKinds.has(kind) && minimum === 'mac' ?", "minimum === 'mac' ?",
      'is sealed on tls, even where mac would do',
    ],
    [
      'a peer is the expected actor', 'if (peer.host !== expect.host || peer.actor !== expect.actor)', 'if (false)',
      'refuses an actor other than the expected one, though its certificate is good',
    ],
    [
      'a peer is the expected incarnation', 'if (peer.incarnation !== expect.incarnation)', 'if (false)',
      'refuses another incarnation of the expected actor, at either end',
    ],
    ['a handshake is signed', 'if (!key.verify(signed(transcript, role), decode(encoded)))', 'if (false)'],
    [
      'a handshake is confirmed', 'if (!keys.equal(confirm(keys, secret, transcript, role), decode(encoded)))',
      'if (false)', 'refuses a wrong confirmation, though all signatures are good',
    ],
    [
      'a handshake message has its shape', "if (!shape.success) throw failure('malformed')",
      'if (!shape.success) return value as Infer<S>', 'reads nothing of a field that it does not know, in any message',
    ],
  ),
  ...guardsOf('runtime/link/inbox.ts', 'test/runtime/link-guards.test.ts',
    [
      'frames before the end of a handshake are few', 'if (frames.length > limits.unreadFrames)', 'if (false)',
      'frames that come before a handshake reads them are few',
    ],
  ),
  ...guardsOf('runtime/link/inbox.ts', 'test/runtime/link-handshake.test.ts',
    [
      'a handshake message is not too long', 'if (frame.length > limits.handshake)', 'if (false)',
      'refuses a message that is too long, not JSON, or bytes where text is spoken',
    ],
  ),
  ...guardsOf('runtime/link/link.ts', 'test/runtime/rpc.test.ts',
    [
      'sealed is more than a MAC', "least === 'mac' || (least === 'sealed' ? base === 'sealed' : signed)",
      "least !== 'signature' || signed || base === 'sealed'",
      'a method of suite sealed is refused on a mac link, by caller and by callee',
    ],
  ),
  ...guardsOf('runtime/link/seal.ts', 'test/runtime/link.test.ts',
    [
      'text frames: the tag matches', 'if (!options.keys.equal(at.mac.tag(header, bytes), claimedTag))', 'if (false)',
      'mac over port: a frame with any one bit changed closes the link',
    ],
    [
      'byte frames: the tag matches',
      'if (!options.keys.equal(at.mac.tag(header, body), bytes.subarray(HEADER, HEADER + TAG)))', 'if (false)',
      'mac over memory: a frame with any one bit changed closes the link',
    ],
    [
      'sealed frames: the header is authenticated',
      "const plain = at.aead.open(nonceFor(at, sequence), bytes.subarray(HEADER), header) ?? reject('forged')",
      'const plain = at.aead.open(nonceFor(at, sequence), bytes.subarray(HEADER), new Uint8Array(0)) ?? '
        + "reject('forged')",
    ],
    [
      'a frame comes once', "if (sequence < at.sequence) reject('replayed')", 'if (sequence < at.sequence) return',
      'mac over port: a forged, replayed, reordered, missing, reflected and cut frame are each named',
    ],
    [
      'frames come in order', "if (sequence > at.sequence) reject('reordered')", 'at.sequence = sequence',
      'mac over port: a forged, replayed, reordered, missing, reflected and cut frame are each named',
    ],
    ['a frame of ours does not come back', "if (bytes[1] !== at.id) reject('reflected')", ''],
    ['a frame has the length that it says', "if (view.getUint32(4) !== total - HEADER) reject('cut')", ''],
    [
      'a frame has this version',
      "if (bytes[0] !== VERSION || bytes[3] !== 0 || bytes[2]! > (SIGNED | CLOSING)) reject('malformed')", '',
      'mac over port: a frame with any one bit changed closes the link',
    ],
    [
      'a signature of a frame matches',
      "if (!options.peerKey.verify(provable(options, header, body), signature)) reject('signature')", '',
      'mac over port: a frame signed with another key than the certified one is refused',
    ],
    [
      'a text has one tag', "if (!body.isWellFormed()) return reject('forged')", '',
      'mac over port: a lone surrogate in place of U+FFFD, which encodes to the same bytes, is refused',
    ],
    [
      'a text frame is not too long',
      "  if (typeof frame !== 'string') return reject('malformed')\n"
        + "  if (frame.length > limits.frame) return reject('oversize')",
      "  if (typeof frame !== 'string') return reject('malformed')",
      'mac over port: a frame too large, of the wrong kind or that is no list of messages is refused',
    ],
    [
      'a byte frame is not too long',
      "  if (typeof frame === 'string') return reject('malformed')\n"
        + "  if (frame.length > limits.frame) return reject('oversize')",
      "  if (typeof frame === 'string') return reject('malformed')",
      'mac over memory: a frame too large, of the wrong kind or that is no list of messages is refused',
    ],
  ),
]
