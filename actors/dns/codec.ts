import * as packet from 'dns-packet'

/** DNS messages (RFC 1035, RFC 6891) by `dns-packet`, which works on Buffers. */

export type DnsRecord = packet.Answer

/** A query as far as an answer needs it. */
export interface Query {
  readonly id: number
  readonly recursionDesired: boolean
  /** In lower case, without the dot at its end; '' for the root. A byte that is no letter of names stays what it is. */
  readonly name: string
  readonly type: number
  readonly class: number
  /** The question as it was asked, letter by letter: some resolvers know their answers by its upper case (0x20). */
  readonly question: Uint8Array
  /** Of who speaks EDNS: the datagram that they take, and the version. */
  readonly edns: { readonly bytesMax: number; readonly version: number } | undefined
}

/** `silence`: nobody is to be answered. `code`: what is wrong with it (RFC 1035 §4.1.1). */
export type Read =
  | { readonly kind: 'query'; readonly query: Query }
  | { readonly kind: 'silence' }
  | { readonly kind: 'fault'; readonly id: number; readonly flags: number; readonly code: number }

export const rcode = { none: 0, format: 1, name: 3, notImplemented: 4, refused: 5, version: 16 } as const
export const recordType = { ns: 2, soa: 6, opt: 41, ixfr: 251, axfr: 252, mailB: 253, mailA: 254, any: 255 } as const
export const classIn = 1

const HEADER = 12
const IS_ANSWER = 0x8000
const OPCODE = 0x7800
const AUTHORITATIVE = 0x0400
const TRUNCATED = 0x0200
const RECURSION_DESIRED = 0x0100
/** Of a name (RFC 1035 §2.3.4), with the lengths of its labels. */
const NAME_BYTES = 255
/** What this server takes and sends by UDP with EDNS: no larger datagram is sure to come through in one piece. */
export const UDP_BYTES = 1_232
/** Without EDNS. */
const UDP_BYTES_PLAIN = 512

export function readQuery(bytes: Uint8Array): Read {
  if (bytes.length < HEADER) return { kind: 'silence' }
  const word = (at: number): number => (bytes[at]! << 8) | bytes[at + 1]!
  const [id, flags] = [word(0), word(2)]
  // Two servers that answer each other's answers would never stop
  if ((flags & IS_ANSWER) !== 0) return { kind: 'silence' }
  const fault = (code: number): Read => ({ kind: 'fault', id, flags, code })
  if ((flags & OPCODE) !== 0) return fault(rcode.notImplemented)
  const name = word(4) === 1 && word(6) === 0 && word(8) === 0 ? readName(bytes, HEADER) : undefined
  // What else it brings is for others: an OPT record, and at most a signature
  if (!name || name.end + 4 > bytes.length || word(10) > 2) return fault(rcode.format)
  const end = name.end + 4
  const options = optionsOf(bytes)
  if (options === undefined || options.length > 1) return fault(rcode.format)
  const [edns] = options
  return {
    kind: 'query',
    query: {
      id, recursionDesired: (flags & RECURSION_DESIRED) !== 0, name: name.text,
      type: word(name.end), class: word(name.end + 2), question: bytes.slice(HEADER, end), edns,
    },
  }
}

/** Its OPT records; undefined where the package cannot read the message to its very end. */
function optionsOf(bytes: Uint8Array): readonly { bytesMax: number; version: number }[] | undefined {
  try {
    const { additionals = [] } = packet.decode(Buffer.from(bytes))
    if ((packet.decode as { bytes?: number }).bytes !== bytes.length) return undefined
    return additionals.filter((each) => each.type === 'OPT').map((each) => {
      const { udpPayloadSize, ednsVersion } = each as packet.OptAnswer
      return { bytesMax: udpPayloadSize, version: ednsVersion }
    })
  } catch {
    return undefined
  }
}

/** One that points elsewhere is none: in a question there is nothing before it that it could point to. */
function readName(bytes: Uint8Array, from: number): { text: string; end: number } | undefined {
  const labels: string[] = []
  for (let at = from; at < bytes.length && at - from < NAME_BYTES;) {
    const length = bytes[at]!
    if (length === 0) return { text: labels.join('.'), end: at + 1 }
    if (length > 63 || at + 1 + length >= bytes.length) return undefined
    labels.push(labelOf(bytes.subarray(at + 1, at + 1 + length)))
    at += 1 + length
  }
  return undefined
}

/** A dot within a label is none between two: written as in RFC 4343 §2.1 it makes no name of ours. */
const labelOf = (label: Uint8Array): string =>
  String.fromCharCode(...label).replace(/[A-Z]/g, (letter) => letter.toLowerCase()).replaceAll('.', '\\046')

export interface Reply {
  readonly code: number
  readonly authoritative?: boolean
  readonly answers?: readonly DnsRecord[]
  readonly authorities?: readonly DnsRecord[]
  /** Left out where there is no room for them. */
  readonly additionals?: readonly DnsRecord[]
}

/** The answer to what cannot be read: its number, and what is wrong. */
export const encodeFault = (id: number, flags: number, code: number): Uint8Array =>
  Uint8Array.of(id >> 8, id & 255, 0x80 | ((flags & (OPCODE | RECURSION_DESIRED)) >> 8), code, 0, 0, 0, 0, 0, 0, 0, 0)

/** By UDP never longer than the sender takes: what does not fit is left out, and said to be (TC). */
export function encodeReply(query: Query, reply: Reply, by: 'udp' | 'tcp'): Uint8Array {
  const bytesMax = by === 'tcp' ? 65_535
    : query.edns ? Math.min(UDP_BYTES, Math.max(UDP_BYTES_PLAIN, query.edns.bytesMax)) : UDP_BYTES_PLAIN
  const whole = encode(query, reply, 0)
  if (whole.length <= bytesMax) return whole
  const { additionals: _, ...without } = reply
  const short = encode(query, without, 0)
  return short.length <= bytesMax ? short : encode(query, { code: reply.code, authoritative: true }, TRUNCATED)
}

function encode(query: Query, reply: Reply, more: number): Uint8Array {
  const { code, authoritative = false, answers = [], authorities = [], additionals = [] } = reply
  const flags = (authoritative ? AUTHORITATIVE : 0) | (query.recursionDesired ? RECURSION_DESIRED : 0) | more
    | (code & 15)
  const options: packet.OptAnswer[] = query.edns ? [{
    type: 'OPT', name: '.', udpPayloadSize: UDP_BYTES, extendedRcode: code >> 4, ednsVersion: 0, flags: 0,
    flag_do: false, options: [],
  }] : []
  const rest = packet.encode({
    type: 'response', id: query.id, flags,
    answers: [...answers], authorities: [...authorities], additionals: [...additionals, ...options],
  })
  const bytes = new Uint8Array(rest.length + query.question.length)
  bytes.set(rest.subarray(0, HEADER))
  bytes[5] = 1
  bytes.set(query.question, HEADER)
  bytes.set(rest.subarray(HEADER), HEADER + query.question.length)
  return bytes
}
