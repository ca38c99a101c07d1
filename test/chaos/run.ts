/** A zone on many hosts, in use while they are killed and cut off by a schedule: then all is as it should be. */
import { answered, delay, holdsWithin } from './delay.ts'
import { openField, type Field } from './field.ts'
import { doubles, faultsNow, look, missing, reportOf } from './promises.ts'
import { scheduleOf, strikeLine, type Strike } from './schedule.ts'
import { begin, COUNT, Owner, type Tally, type Traffic } from './traffic.ts'

export interface ChaosOptions {
  readonly seed: number
  readonly lastsMs: number
  readonly oods: number
  readonly nodes: number
  readonly say: (line: string) => void
  /** In place of what the seed draws. */
  readonly schedule?: (field: Field) => readonly Strike[]
}

export interface ChaosReport {
  /** Of all hosts: what each has kept and logged. */
  readonly folder: string
  readonly faults: readonly string[]
  readonly strikes: number
  readonly acknowledged: number
  readonly calls: number
  readonly callsFailed: number
  readonly unanswered: number
  /** Programs that ended by themselves and were started again. */
  readonly endedByItself: number
  readonly failures: readonly (readonly [what: string, count: number])[]
  /** From the last heal until all was well. */
  readonly settledMs: number | undefined
  readonly silences: Tally['silences']
}

const FIRST_MS = 180_000
/** A host that was lost is heard of after its next report; the scheduler makes a round in 30 s, a program starts. */
const SETTLE_MS = 150_000
const REPORTS_MS = 60_000
const LOOK_MS = 1_000
const TOLD_MS = 30_000

export async function chaos(options: ChaosOptions): Promise<ChaosReport> {
  const { seed, lastsMs, say } = options
  const field = await openField(options)
  try {
    const { oods, nodes, members } = field
    const strikes = options.schedule?.(field) ?? scheduleOf({ seed, lastsMs, oods, nodes, members })
    for (const strike of strikes) say(strikeLine(strike))
    const first = await settles(field, undefined, FIRST_MS)
    if (first.faults.length > 0) throw new Error(`It did not come up: ${first.faults.join('; ')}`)
    const home = look(field).find(({ service }) => service === 'ledger')!.host
    say(`all serves; the state of the ledger is on ${home}`)
    const traffic = await begin(field, home)
    const seen = await strike(field, strikes, home, traffic, say)
    say('everything is healed')
    const { faults, tookMs } = await settles(field, home, SETTLE_MS)
    await delay(2_000)
    await traffic.end()
    const found = [...seen, ...faults]
    if (faults.length === 0) found.push(...await connectedFaults(field), ...await missing(field, traffic.tally))
    const { written, calls, callsFailed, unanswered, failures, silences } = traffic.tally
    return {
      folder: field.folder, faults: found, strikes: strikes.length, acknowledged: written.size, calls, callsFailed,
      unanswered, silences,
      endedByItself: field.endedByItself(),
      failures: [...failures].sort(([, a], [, b]) => b - a), settledMs: tookMs,
    }
  } finally {
    await field.end()
  }
}

async function settles(
  field: Field, home: string | undefined, msMax: number,
): Promise<{ readonly faults: readonly string[]; readonly tookMs: number | undefined }> {
  let faults: readonly string[] = []
  const tookMs = await holdsWithin(msMax, async () => {
    try {
      faults = await faultsNow(field, home)
    } catch (error) {
      faults = [String(error)]
    }
    return faults.length === 0
  })
  const late = tookMs === undefined ? faults.map((fault) => `not within ${msMax / 1_000} s: ${fault}`) : []
  return { faults: late, tookMs }
}

/** Each tells of itself again, and its programs reach the zone by its gateway. */
async function connectedFaults(field: Field): Promise<readonly string[]> {
  const { password, nodes } = field
  const owner = new Owner(field.gateway(field.oods[0]!), password)
  const before: string[] = []
  for (const node of nodes) before.push(await answered(() => reportOf(owner, node)))
  const faults: string[] = []
  for (const [index, node] of nodes.entries()) {
    const again = async (): Promise<boolean> => await reportOf(owner, node) !== before[index]
    if (await holdsWithin(REPORTS_MS, again) === undefined) faults.push(`${node} tells nothing of itself`)
    const theirs = new Owner(field.gateway(node), password)
    const answers = async (): Promise<boolean> => await theirs.get(COUNT) !== null
    if (await holdsWithin(REPORTS_MS, answers) === undefined) faults.push(`${node} does not reach the zone`)
  }
  return faults
}

/** @returns what may be at no moment, and was */
async function strike(
  field: Field, strikes: readonly Strike[], home: string, { tally }: Traffic, say: (line: string) => void,
): Promise<readonly string[]> {
  const began = performance.now()
  const last = Math.max(...strikes.map(({ atMs, forMs }) => atMs + forMs))
  const found = new Set<string>()
  let before: readonly string[] = []
  let over = false
  const watching = (async () => {
    for (let told = performance.now(); !over; await delay(LOOK_MS)) {
      const now = doubles(look(field), home)
      for (const double of now.filter((each) => before.includes(each))) {
        const line = `${double}, ${Math.round((performance.now() - began) / 1_000)} s after it began`
        if (![...found].some((other) => other.startsWith(double))) say(line)
        if (![...found].some((other) => other.startsWith(double))) found.add(line)
      }
      before = now
      if (performance.now() - told < TOLD_MS) continue
      told = performance.now()
      say(`${Math.max(0, Math.round((last - told + began) / 1_000))} s to go: ${tally.written.size} writes `
        + `acknowledged, ${tally.calls - tally.callsFailed} of ${tally.calls} calls answered`)
    }
  })()
  try {
    await Promise.all(strikes.map(async (one) => {
      await delay(one.atMs - (performance.now() - began))
      const heal = await hit(field, one)
      await delay(one.forMs)
      heal()
    }))
  } finally {
    over = true
    await watching
  }
  return [...found]
}

/** @returns what makes it good again */
async function hit({ net, kill, run }: Field, { target, what }: Strike): Promise<() => void> {
  if (what.kind === 'kill') {
    await kill(target)
    return () => run(target)
  }
  const share = what.kind === 'loss' ? what.share : 1
  const ways = what.kind === 'loss' || what.way === 'both' ? ['in', 'out'] as const : [what.way]
  const ends = ways.map((way) => net.drop(target, way, share))
  return () => ends.forEach((end) => end())
}
