import { safeParse } from 'valibot'
import type { Peer } from '../actor.ts'
import { Denied, HandshakeFailed, type ZonewrightError } from '../errors.ts'
import { limits } from '../limits.ts'
import type { Agreement, Channel, ChannelKind, Clock, Keys, Random, SigningKey, VerifyKey } from '../platform/ports.ts'
import {
  array, integer, literal, maxLength, minLength, minValue, number, object, picklist, pipe, string,
  type Infer, type Schema,
} from '../protocol.ts'
import { fromBase64url, toBase64url } from '../trust/base64url.ts'
import type { CertifiedPeer } from './certificate.ts'
import { FramedLink } from './frame.ts'
import { openInbox, type Inbox } from './inbox.ts'
import type { Base, Link } from './link.ts'
import { createProtection } from './seal.ts'

/*
 *  initiator                                                       responder
 *  1  offers, whom it wants, certificate, nonce, X25519 key   →
 *  2                       ←  suite, certificate, nonce, X25519 key, signature, confirmation
 *  3  signature, confirmation                                 →
 *
 * Each signature covers the transcript: everything above but signatures and confirmations, with the names as the
 * certificates gave them. A confirmation is a MAC under a key that only the two who agreed can derive. The responder
 * reads no call before message 3, the initiator sends none before message 2.
 */

const VERSION = 1
const text = (charactersMax: number) => pipe(string(), minLength(1), maxLength(charactersMax))
const count = pipe(number(), integer(), minValue(0))
const Suite = picklist(['mac', 'sealed'])
const bytes32 = pipe(string(), minLength(43), maxLength(43))
const signature = pipe(string(), minLength(86), maxLength(86))
const confirmation = pipe(string(), minLength(22), maxLength(22))
const certificate = text(limits.certificate)

const First = object({
  v: literal(VERSION), offers: pipe(array(Suite), minLength(1), maxLength(2)),
  to: object({ host: text(255), actor: text(255), incarnation: count }),
  certificate, nonce: bytes32, ephemeral: bytes32,
})
const Second = object({
  v: literal(VERSION), suite: Suite, certificate, nonce: bytes32, ephemeral: bytes32, signature, confirmation,
})
const Third = object({ v: literal(VERSION), signature, confirmation })

export interface HandshakeSelf {
  readonly zone: string
  readonly host: string
  readonly actor: string
  readonly runtimeType: string
  readonly incarnation: number
  readonly key: SigningKey
  readonly certificate: string
}

export interface EstablishOptions {
  readonly role: 'initiator' | 'responder'
  readonly self: HandshakeSelf
  /** Who must be at the other end; anyone else is refused, whatever their certificate. */
  readonly expect: { readonly host: string; readonly actor: string; readonly incarnation: number }
  readonly minimum: Base
  /** Weakest first; default: what the kind of channel allows. */
  readonly offers?: readonly Base[]
  readonly clock: Clock
  readonly random: Random
  readonly keys: Keys
  /** @throws HandshakeFailed */
  verifyCertificate(text: string): CertifiedPeer
  /** A frame closed the link. */
  onRejected?(error: ZonewrightError): void
}

/** A MAC says nothing to a reader on the way: it is for channels that do not leave the process. */
const macKinds: ReadonlySet<ChannelKind> = new Set(['port', 'memory', 'simulated'])
const allowed = (kind: ChannelKind, minimum: Base): readonly Base[] =>
  macKinds.has(kind) && minimum === 'mac' ? ['mac', 'sealed'] : ['sealed']

/** @throws HandshakeFailed with `details.reason`; the channel is closed then */
export async function establish(channel: Channel, options: EstablishOptions): Promise<Link> {
  const inbox = openInbox(channel)
  const cancel = options.clock.after(limits.handshakeMs, () => inbox.fail(failure('no answer in time')))
  try {
    const result = options.role === 'initiator'
      ? await initiate(channel, inbox, options)
      : await respond(channel, inbox, options)
    return open(channel, inbox, options, result)
  } catch (error) {
    const failed = error instanceof HandshakeFailed ? error : failure('refused')
    channel.close(failed.message)
    throw failed
  } finally {
    cancel()
  }
}

interface Agreed {
  readonly peer: CertifiedPeer
  readonly suite: Base
  readonly secret: Uint8Array
  readonly transcript: Uint8Array
}

async function initiate(channel: Channel, inbox: Inbox, options: EstablishOptions): Promise<Agreed> {
  const { self, expect, keys, random } = options
  const offers = options.offers ?? allowed(channel.kind, options.minimum)
  const agreement = keys.agreement(random)
  const first: Infer<typeof First> = {
    v: VERSION, offers: [...offers], to: { host: expect.host, actor: expect.actor, incarnation: expect.incarnation },
    certificate: self.certificate, nonce: toBase64url(random.bytes(32)), ephemeral: toBase64url(agreement.publicKey),
  }
  inbox.send(JSON.stringify(first))
  const second = read(Second, await inbox.next())
  if (!offers.includes(second.suite) || !allowed(channel.kind, options.minimum).includes(second.suite)) {
    throw failure('suite below the minimum')
  }
  const peer = verifyPeer(second.certificate, options)
  const transcript = transcriptOf(keys, first, second, self, peer)
  checkSignature(transcript, 'responder', second.signature, peer.key)
  const secret = agree(agreement, second.ephemeral)
  checkConfirmation(keys, secret, transcript, 'responder', second.confirmation)
  inbox.send(JSON.stringify({
    v: VERSION,
    signature: toBase64url(self.key.sign(signed(transcript, 'initiator'))),
    confirmation: toBase64url(confirm(keys, secret, transcript, 'initiator')),
  }))
  return { peer, suite: second.suite, secret, transcript }
}

async function respond(channel: Channel, inbox: Inbox, options: EstablishOptions): Promise<Agreed> {
  const { self, keys, random } = options
  const first = read(First, await inbox.next())
  if (first.to.host !== self.host || first.to.actor !== self.actor) throw failure('meant for another actor')
  if (first.to.incarnation !== self.incarnation) throw failure('meant for another incarnation')
  const suite = allowed(channel.kind, options.minimum).find((base) => first.offers.includes(base))
  if (!suite) throw failure('suite below the minimum')
  const peer = verifyPeer(first.certificate, options)
  const agreement = keys.agreement(random)
  const secret = agree(agreement, first.ephemeral)
  const offer = {
    v: VERSION as typeof VERSION, suite, certificate: self.certificate,
    nonce: toBase64url(random.bytes(32)), ephemeral: toBase64url(agreement.publicKey),
  }
  const transcript = transcriptOf(keys, first, offer, peer, self)
  inbox.send(JSON.stringify({
    ...offer,
    signature: toBase64url(self.key.sign(signed(transcript, 'responder'))),
    confirmation: toBase64url(confirm(keys, secret, transcript, 'responder')),
  }))
  const third = read(Third, await inbox.next())
  checkSignature(transcript, 'initiator', third.signature, peer.key)
  checkConfirmation(keys, secret, transcript, 'initiator', third.confirmation)
  return { peer, suite, secret, transcript }
}

function open(channel: Channel, inbox: Inbox, options: EstablishOptions, agreed: Agreed): Link {
  const { key: peerKey, ...peer } = agreed.peer
  const link = new FramedLink({
    channel, peer, base: agreed.suite, transcript: toBase64url(agreed.transcript),
    protection: createProtection({
      base: agreed.suite, text: channel.kind === 'port', initiator: options.role === 'initiator', keys: options.keys,
      secret: agreed.secret, transcript: agreed.transcript, key: options.self.key, peerKey,
    }),
    onRejected: (error) => options.onRejected?.(error),
  })
  inbox.handOver((frame) => link.accept(frame), (reason) => link.cut(reason))
  return link
}

function verifyPeer(certificateText: string, options: EstablishOptions): CertifiedPeer {
  const peer = options.verifyCertificate(certificateText)
  const { expect, self } = options
  if (peer.zone !== self.zone) throw failure('peer of another zone')
  if (peer.host !== expect.host || peer.actor !== expect.actor) throw failure('not the expected actor')
  if (peer.incarnation !== expect.incarnation) throw failure('not the expected incarnation')
  // One key at both ends would let a message that we signed come back as the peer's.
  if (peer.kid === self.key.public.kid) throw failure('peer has our own key')
  return peer
}

type Named = Omit<Peer, 'kid'>

/** SHA-256 of one JSON array of strings and numbers: no two handshakes have the same text. */
function transcriptOf(
  keys: Keys, first: Infer<typeof First>, second: Omit<Infer<typeof Second>, 'signature' | 'confirmation'>,
  initiator: Named, responder: Named,
): Uint8Array {
  const names = (one: Named): unknown => [one.zone, one.host, one.actor, one.runtimeType, one.incarnation]
  return keys.hash(utf8(JSON.stringify([
    'zonewright link transcript', VERSION, first.offers, second.suite,
    names(initiator), first.certificate, first.nonce, first.ephemeral,
    names(responder), second.certificate, second.nonce, second.ephemeral,
  ])))
}

type Role = 'initiator' | 'responder'

const signed = (transcript: Uint8Array, role: Role): Uint8Array =>
  utf8(JSON.stringify(['zonewright link handshake', VERSION, role, toBase64url(transcript)]))

function checkSignature(transcript: Uint8Array, role: Role, encoded: string, key: VerifyKey): void {
  if (!key.verify(signed(transcript, role), decode(encoded))) throw failure('signature')
}

function confirm(keys: Keys, secret: Uint8Array, transcript: Uint8Array, role: Role): Uint8Array {
  const key = keys.derive(secret, transcript, `zonewright link confirmation ${role}`, 32)
  return keys.mac(key).tag(new Uint8Array(16), transcript).slice()
}

function checkConfirmation(keys: Keys, secret: Uint8Array, transcript: Uint8Array, role: Role, encoded: string): void {
  if (!keys.equal(confirm(keys, secret, transcript, role), decode(encoded))) throw failure('confirmation')
}

function agree(agreement: Agreement, peerKey: string): Uint8Array {
  try {
    return agreement.agree(decode(peerKey))
  } catch (error) {
    if (error instanceof Denied) throw failure('X25519 key')
    throw error
  }
}

function read<S extends Schema>(schema: S, message: string): Infer<S> {
  let value: unknown
  try {
    value = JSON.parse(message)
  } catch {
    throw failure('malformed')
  }
  const shape = safeParse(schema, value)
  if (!shape.success) throw failure('malformed')
  return shape.output
}

function decode(encoded: string): Uint8Array {
  const bytes = fromBase64url(encoded)
  if (!bytes) throw failure('malformed')
  return bytes
}

const encoder = new TextEncoder()
const utf8 = (value: string): Uint8Array => encoder.encode(value)

const failure = (reason: string): ZonewrightError => new HandshakeFailed(`The handshake failed: ${reason}`, { reason })
