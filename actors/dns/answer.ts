import {
  classIn, encodeFault, encodeReply, rcode, readQuery, recordType, type DnsRecord, type Query, type Reply,
} from './codec.ts'
import { TTL_SECONDS, type Names } from './names.ts'

/** How a query was met, for the counter. */
export type Outcome = 'answer' | 'nodata' | 'nxdomain' | 'refused' | 'fault' | 'silence'

export interface Answered {
  readonly outcome: Outcome
  readonly bytes: Uint8Array | undefined
}

/** Nothing is transferred, and nobody is asked on behalf of another: both are refused. */
const REFUSED: ReadonlySet<number> = new Set([recordType.ixfr, recordType.axfr, recordType.mailB, recordType.mailA])

/** The authoritative answer of a zone to a message. Never throws, whatever the message is. */
export function answer(message: Uint8Array, names: Names, by: 'udp' | 'tcp'): Answered {
  const read = readQuery(message)
  if (read.kind === 'silence') return { outcome: 'silence', bytes: undefined }
  if (read.kind === 'fault') return { outcome: 'fault', bytes: encodeFault(read.id, read.flags, read.code) }
  const { query } = read
  const [outcome, reply] = replyTo(query, names)
  return { outcome, bytes: encodeReply(query, reply, by) }
}

function replyTo(query: Query, names: Names): readonly [Outcome, Reply] {
  const { name, type, edns } = query
  if (edns && edns.version !== 0) return ['fault', { code: rcode.version }]
  if (type === recordType.opt) return ['fault', { code: rcode.format }]
  const ours = name === names.zone || name.endsWith(`.${names.zone}`)
  if (!ours || query.class !== classIn || REFUSED.has(type)) return ['refused', { code: rcode.refused }]
  const found = names.find(name)
  const negative = { authoritative: true, authorities: [names.soa] }
  if (!found) return ['nxdomain', { code: rcode.name, ...negative }]
  // The least that answers whoever asks for everything (RFC 8482)
  if (type === recordType.any && found.length > 0) {
    return ['answer', {
      code: rcode.none, authoritative: true,
      answers: [{ type: 'HINFO', name, ttl: TTL_SECONDS, data: { cpu: 'RFC8482', os: '' } }],
    }]
  }
  const answers = found.filter((record) => typeNumbers[record.type] === type)
  if (answers.length === 0) return ['nodata', { code: rcode.none, ...negative }]
  return ['answer', { code: rcode.none, authoritative: true, answers, additionals: addressesOf(answers, names) }]
}

/** Of the types that a zone has. */
const typeNumbers: Readonly<Partial<Record<DnsRecord['type'], number>>> = { A: 1, NS: 2, SOA: 6, AAAA: 28, SRV: 33 }

/** Of those that these records name: who asked would ask for them next. */
function addressesOf(answers: readonly DnsRecord[], names: Names): readonly DnsRecord[] {
  const targets = new Set(answers.flatMap((record) =>
    (record.type === 'SRV' ? [record.data.target] : record.type === 'NS' ? [String(record.data)] : [])))
  return [...targets].flatMap((target) =>
    (names.find(target) ?? []).filter(({ type }) => type === 'A' || type === 'AAAA'))
}
