/**
 * Calls between two actors, by the public API in workers that the real supervisor started, with validation, deadline,
 * trace and a bound principal: against unsigned Comlink, bare `postMessage`, and our own link without any protection.
 * All run in turn in one process, and medians are compared.
 */
import { startPeers } from './link/peers.ts'
import type { Bench, Row } from './report.ts'
import type { Zone } from './link/zone.ts'

const IN_FLIGHT = [1, 64, 512] as const
const ROUNDS = 5
const UNSIGNED = 'unsigned'
const TARGETS: Readonly<Record<string, Readonly<Record<number, number>>>> = {
  'mac calls, 200 B, against Comlink': { 1: 1.0, 64: 5 },
  'mac calls, against our own link unsigned': { 64: 0.65 },
  'signature calls, 200 B, against Comlink': { 64: 2 },
}

const bench: Bench = async ({ seconds, say }) => {
  // By its place: the build script reads its own folder, so it is never bundled
  const { build } = (await import(new URL('boot/build.mjs', rootUrl()).href)) as typeof import('../boot/build.mjs')
  // Both builds are made alike, also on Deno, so that only the protection differs
  await build({ sets: ['bench'], into: 'bench-signed' })
  await build({
    sets: ['bench'],
    into: `bench-${UNSIGNED}`,
    replace: { 'runtime/link/seal.ts': 'bench/link/unsigned-seal.ts' },
  })
  const [signed, unsigned, peers] = await Promise.all([
    startBuilt('bench-signed'),
    startBuilt(`bench-${UNSIGNED}`),
    startPeers(),
  ])
  const contenders: Readonly<Record<string, (inFlight: number, ms: number) => Promise<number>>> = {
    comlink: (inFlight, ms) => peers.measure('comlink', inFlight, ms),
    raw: (inFlight, ms) => peers.measure('raw', inFlight, ms),
    unsigned: (inFlight, ms) => unsigned.measure('mac', inFlight, ms),
    mac: (inFlight, ms) => signed.measure('mac', inFlight, ms),
    signature: (inFlight, ms) => signed.measure('signature', inFlight, ms),
  }
  const rows: Row[] = []
  try {
    for (const inFlight of IN_FLIGHT) {
      const rates = await interleaved(contenders, inFlight, (seconds * 1000) / ROUNDS)
      say(
        `${inFlight} in flight: ${Object.entries(rates)
          .map(([name, rate]) => `${name} ${Math.round(rate / 1000)} k/s`)
          .join(', ')}`,
      )
      rows.push(...rowsOf(rates, inFlight))
    }
  } finally {
    await Promise.all([signed.stop(), unsigned.stop()])
    peers.stop()
  }
  return rows
}
export default bench

async function startBuilt(folder: string): Promise<Zone> {
  const module = new URL(`dist/${folder}/bench/link/zone.js`, rootUrl()).href
  const { startZone } = (await import(module)) as { startZone: () => Promise<Zone> }
  return startZone()
}

/** The project's root, from the source as from the build. */
const rootUrl = (): URL => new URL(import.meta.url.includes('/dist/') ? '../../' : '../', import.meta.url)

/** Median calls per second of each, taking turns after one round that does not count. */
async function interleaved(
  contenders: Readonly<Record<string, (inFlight: number, ms: number) => Promise<number>>>,
  inFlight: number,
  ms: number,
): Promise<Record<string, number>> {
  const samples = new Map<string, number[]>(Object.keys(contenders).map((name) => [name, []]))
  for (let round = 0; round <= ROUNDS; round++) {
    for (const [name, run] of Object.entries(contenders)) {
      const rate = await run(inFlight, ms)
      if (round > 0) samples.get(name)?.push(rate)
    }
  }
  return Object.fromEntries([...samples].map(([name, rates]) => [name, median(rates)]))
}

function rowsOf(rates: Readonly<Record<string, number>>, inFlight: number): readonly Row[] {
  const row = (name: string, value: string, peer?: string): Row => {
    const target = TARGETS[name]?.[inFlight]
    return {
      name,
      inFlight,
      value: rates[value]!,
      unit: 'calls/s',
      ...(peer ? { ratio: rates[value]! / rates[peer]! } : {}),
      ...(target === undefined ? {} : { target }),
    }
  }
  return [
    row('Comlink, unsigned', 'comlink'),
    row('bare postMessage', 'raw'),
    row('our link, unsigned, against Comlink', 'unsigned', 'comlink'),
    row('mac calls, 200 B, against Comlink', 'mac', 'comlink'),
    row('mac calls, against our own link unsigned', 'mac', 'unsigned'),
    row('signature calls, 200 B, against Comlink', 'signature', 'comlink'),
  ]
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
}
