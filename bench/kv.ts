/**
 * A kv `get` on the system-config of a zone that was really booted, by the device's session: against a call of the same
 * size, shape and protection to an actor that only answers. And whether list and watch grow with the number of keys
 * alone. Everything runs in turn, and medians are compared.
 */
import { bootKvZone, type KvZone } from './kv/zone.ts'
import type { Bench, Row } from './report.ts'

const ROUNDS = 7
const FEW = 1_000
const MANY = 10_000
/** What a `get` may cost beside a bare call: of its time when it is alone, and in µs when 64 share the way. */
const ALONE_RATIO_MAX = 1.3
const SHARED = 64
const SHARED_MICROS_MAX = 5
/** Per key of ten times as many. A cost that grows as the square of the keys would be near 10. */
const LINEAR_RATIO_MAX = 1.5
const FOLDER = { [FEW]: 'services/few/instances', [MANY]: 'services/many/instances' } as const

const bench: Bench = async ({ seconds, say }) => {
  const zone = await bootKvZone()
  const ms = seconds * 1_000 / ROUNDS
  try {
    return [
      ...await getRows(zone, 1, ms, say),
      ...await getRows(zone, SHARED, ms, say),
      ...await growthRows(zone, ms, say),
    ]
  } finally {
    await zone.stop()
  }
}
export default bench

async function getRows({ driver, token }: KvZone, inFlight: number, ms: number, say: (line: string) => void): Promise<readonly Row[]> {
  const get = (of: 'bare' | 'kv') => async (): Promise<number> =>
    (await driver.get({ of, inFlight, ms, token: token() }, { withinMs: ms + 30_000 })).microsPerCall
  const { bare, kv } = await interleaved({ bare: get('bare'), kv: get('kv') })
  say(`${inFlight} in flight: bare call ${bare.toFixed(2)} µs, kv get ${kv.toFixed(2)} µs`)
  const call: Row = { name: 'bare call, 200 B', inFlight, value: bare, unit: 'µs' }
  if (inFlight === 1) {
    return [call, { name: 'kv get, against the bare call', inFlight, value: kv, unit: 'µs', ratio: kv / bare, target: ALONE_RATIO_MAX, atMost: true }]
  }
  const beside = kv - bare
  return [
    call,
    { name: 'kv get', inFlight, value: kv, unit: 'µs', ratio: kv / bare },
    {
      name: `kv get less the bare call, against ${SHARED_MICROS_MAX} µs`, inFlight, value: beside, unit: 'µs',
      ratio: beside / SHARED_MICROS_MAX, target: 1, atMost: true,
    },
  ]
}

async function growthRows({ driver, token }: KvZone, ms: number, say: (line: string) => void): Promise<readonly Row[]> {
  const withinMs = ms + 120_000
  // The larger first: a watch looks through all changes since it begins, also those of other folders
  const many = await driver.write({ folder: FOLDER[MANY], keys: MANY, token: token() }, { withinMs })
  const few = await driver.write({ folder: FOLDER[FEW], keys: FEW, token: token() }, { withinMs })
  const after = { [FEW]: few.revision, [MANY]: many.revision }
  const list = (keys: typeof FEW | typeof MANY) => async (): Promise<number> =>
    (await driver.list({ folder: FOLDER[keys], keys, ms, token: token() }, { withinMs })).microsPerKey
  const watch = (keys: typeof FEW | typeof MANY) => async (): Promise<number> =>
    (await driver.watch({ folder: FOLDER[keys], keys, after: after[keys]!, ms, token: token() }, { withinMs })).microsPerEvent
  const lists = await interleaved({ few: list(FEW), many: list(MANY) })
  const watches = await interleaved({ few: watch(FEW), many: watch(MANY) })
  say(`list: ${lists.few.toFixed(2)} and ${lists.many.toFixed(2)} µs per key, watch: ${watches.few.toFixed(2)} and ${watches.many.toFixed(2)} µs per event`)
  return [
    { name: 'list of 1,000 keys', value: lists.few, unit: 'µs per key' },
    linear('list of 10,000 keys, per key against 1,000', lists, 'µs per key'),
    { name: 'watch of 1,000 changes', value: watches.few, unit: 'µs per event' },
    linear('watch of 10,000 changes, per event against 1,000', watches, 'µs per event'),
  ]
}

const linear = (name: string, { few, many }: { readonly few: number; readonly many: number }, unit: string): Row =>
  ({ name, value: many, unit, ratio: many / few, target: LINEAR_RATIO_MAX, atMost: true })

/** Median of each, taking turns after one round that does not count. */
async function interleaved<Name extends string>(contenders: Readonly<Record<Name, () => Promise<number>>>): Promise<Record<Name, number>> {
  const names = Object.keys(contenders) as Name[]
  const samples = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<Name, number[]>
  for (let round = 0; round <= ROUNDS; round++) {
    for (const name of names) {
      const sample = await contenders[name]()
      if (round > 0) samples[name].push(sample)
    }
  }
  return Object.fromEntries(names.map((name) => [name, median(samples[name])])) as Record<Name, number>
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
}
