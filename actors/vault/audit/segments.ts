import type { Files, Keys } from '../../../runtime/platform/ports.ts'
import { emptyChain, type AuditPoint } from './record.ts'
import { ChainWalk, linesOf, type Finding } from './walk.ts'

/** The public key that signs the chain: `{zone, host, kid, jwk}`. */
export const keyFile = 'key.jwk'

const NEWLINE = 0x0a
const NAME = /^(\d{12})\.jsonl$/

/** Named for the first record in it, so that the order of names is the order of records. */
export const segmentName = (first: number): string => `${String(first).padStart(12, '0')}.jsonl`

/** The first record that a segment of this name should hold; undefined where it is none. */
export function firstOf(name: string): number | undefined {
  const digits = NAME.exec(name)?.[1]
  return digits === undefined ? undefined : Number(digits)
}

export async function segmentsIn(files: Files): Promise<readonly string[]> {
  const names = (await files.list('.')).filter(({ directory }) => !directory).map(({ name }) => name)
  return names.filter((name) => firstOf(name) !== undefined).sort()
}

/** Where the chain that lies in a folder ends. */
export interface ChainEnd {
  readonly point: AuditPoint
  /** To be written to next; undefined in an empty folder. */
  readonly segment: string | undefined
  /** Bytes of it. */
  readonly size: number
  /** What is behind the last record and is none. */
  readonly region: Uint8Array
  /** Its last line has no end. */
  readonly open: boolean
  /** What is wrong in the segments that were read: the last one, and those before it as far back as a record. */
  readonly findings: readonly Finding[]
}

/** Reads the last segment, and earlier ones while there is no whole record in it. */
export async function readEnd(files: Files, keys: Keys): Promise<ChainEnd> {
  const names = await segmentsIn(files)
  const findings: Finding[] = []
  let segment: string | undefined
  let size = 0
  let region: Uint8Array = new Uint8Array()
  let open = false
  for (const name of [...names].reverse()) {
    const bytes = await files.read(name)
    if (bytes === undefined) continue
    const first = firstOf(name)!
    const from = first === 1 ? emptyChain : undefined
    const walk = new ChainWalk({ keys, from, onFinding: (finding) => void findings.push(finding) })
    walk.rest(linesOf(bytes, (line) => walk.line(line)))
    if (segment === undefined) {
      [segment, size, region] = [name, bytes.length, walk.region]
      open = size > 0 && bytes.at(-1) !== NEWLINE
    }
    if (walk.records > 0) return { point: walk.point!, segment, size, region, open, findings }
  }
  return { point: emptyChain, segment, size, region, open, findings }
}
