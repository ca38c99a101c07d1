/**
 * A kv `get` on the system-config of a zone that was really booted, by the device's session: against a call of the same
 * size, shape and protection to an actor that only answers. And whether list and watch cost the same per key however
 * many keys there are. Everything runs in turn, and medians are compared.
 */
import { inKvZone, type KvZone } from './kv/zone.ts'
import { interleaved } from './interleaved.ts'
import type { Bench, Row } from './report.ts'

type Say = (line: string) => void
type Size = 'few' | 'many'

const ROUNDS = 7
/** What a `get` may take: so many times a bare call when it is alone, so much more when 64 share the way. */
const ALONE_RATIO_MAX = 1.3
const SHARED = 64
const SHARED_MICROS_MAX = 5
const KEYS = { few: 1_000, many: 10_000 } as const
/** Time per key of the many against the few. What grows as the square of the keys would be near 10. */
const LINEAR_RATIO_MAX = 1.5
/** Where the scheduler does not look: it would plan anew while the keys are written. */
const FOLDER = { few: 'agents/few', many: 'agents/many' } as const

const bench: Bench = ({ seconds, say }) => inKvZone(async (zone) => {
  const ms = seconds * 1_000 / ROUNDS
  return [
    ...await getRows(zone, 1, ms, say),
    ...await getRows(zone, SHARED, ms, say),
    ...await growthRows(zone, ms, say),
  ]
})
export default bench

async function getRows({ driver, session }: KvZone, inFlight: number, ms: number, say: Say): Promise<readonly Row[]> {
  const get = (of: 'bare' | 'kv') => async (): Promise<number> =>
    (await driver.get({ of, inFlight, ms, token: session() }, { withinMs: ms + 30_000 })).micros
  const { bare, kv } = await interleaved(ROUNDS, { bare: get('bare'), kv: get('kv') })
  say(`${inFlight} in flight: bare call ${bare.toFixed(2)} µs, kv get ${kv.toFixed(2)} µs`)
  const unit = 'µs per call'
  const call: Row = { name: 'bare call, 200 B', inFlight, value: bare, unit }
  const kvGet: Row = { name: 'kv get, 200 B, against the bare call', inFlight, value: kv, unit, ratio: kv / bare }
  if (inFlight === 1) return [call, { ...kvGet, target: ALONE_RATIO_MAX, atMost: true }]
  const beyond = kv - bare
  return [call, kvGet, {
    name: `kv get beyond the bare call, against ${SHARED_MICROS_MAX} µs`, inFlight, value: beyond, unit,
    ratio: beyond / SHARED_MICROS_MAX, target: 1, atMost: true,
  }]
}

async function growthRows({ driver, session, root }: KvZone, ms: number, say: Say): Promise<readonly Row[]> {
  const withinMs = ms + 120_000
  const write = async (size: Size): Promise<number> =>
    (await driver.write({ folder: FOLDER[size], keys: KEYS[size], token: root() }, { withinMs })).revision
  // The many first: a watch looks through all changes since it begins, also those of other folders
  const many = await write('many')
  const after = { many, few: await write('few') }
  const asked = (size: Size) => ({ folder: FOLDER[size], keys: KEYS[size], ms, token: session() })
  const list = (size: Size) => async (): Promise<number> => (await driver.list(asked(size), { withinMs })).micros
  const watch = (size: Size) => async (): Promise<number> =>
    (await driver.watch({ ...asked(size), after: after[size] }, { withinMs })).micros
  const rows: Row[] = []
  for (const [name, part, of] of [['list', 'key', list], ['watch', 'change', watch]] as const) {
    const micros = await interleaved(ROUNDS, { few: of('few'), many: of('many') })
    const unit = `µs per ${part}`
    say(`${name}: ${micros.few.toFixed(2)} ${unit} of ${KEYS.few}, ${micros.many.toFixed(2)} of ${KEYS.many}`)
    rows.push({ name: `${name} of ${KEYS.few} ${part}s`, value: micros.few, unit }, {
      name: `${name} of ${KEYS.many} ${part}s, per ${part} against ${KEYS.few}`, value: micros.many, unit,
      ratio: micros.many / micros.few, target: LINEAR_RATIO_MAX, atMost: true,
    })
  }
  return rows
}
