import vault from '../../actors/vault/actor.ts'
import { SimulationFailed, simulate } from '../../runtime/sim/simulate.ts'
import { SeededRandom } from '../../runtime/sim/random.ts'
import { pause } from '../../runtime/within.ts'
import { InvariantBroken } from './invariants.ts'
import type { RunOptions } from './options.ts'
import { failureOf, type RunHooks, type RunReport } from './run.ts'
import { emptyCoverage, PlayedPoints } from './strikes.ts'
import { AUDIT, ControlPlane } from './years/control-plane.ts'
import { Course } from './years/course.ts'
import { auditFaults, staleEntries } from './years/end.ts'
import { Holder } from './years/holder.ts'
import { Parsed } from './years/parsed.ts'
import { Promises } from './years/promises.ts'
import { OOD } from './years/start.ts'


const DAY = 86_400_000
const YEAR = 365 * DAY
const YEARS = 10
/** Hosts beside the first one. */
const NODES = 2
/** What a power cut has left of a write is put right; and a host that is off for days does not renew. */
const EXPECTED = /^The last write of the audit was cut off|^A certificate has not been renewed/
/** More than five times what a year makes. */
const EVENTS_PER_YEAR = 2_000_000

export interface YearsGiven {
  readonly years?: number
  readonly nodes?: number
  /** Told how the authorities of `pki` stand, now and then: `root active, intermediate next`. */
  readonly onSurvey?: (state: string) => void
}

export interface YearsReport extends RunReport {
  readonly counts: Readonly<Record<string, number>>
}

/**
 * Years of a zone's certificates, keys and audit: the vault and the loop that keeps its authorities are those of a
 * zone, on a simulated disk; hosts renew, follow what is published, and judge each other at every moment. Left out is
 * what beats all the time: supervisors, links, and sessions of 15 minutes (see `years/start.ts`).
 */
export async function runYears(
  { seed, keys }: Pick<RunOptions, 'seed' | 'keys'>, hooks: RunHooks = {},
  { years = YEARS, nodes = NODES, onSurvey = () => {} }: YearsGiven = {},
): Promise<YearsReport> {
  const options: RunOptions = {
    seed, keys, nodes, oods: 1, hours: 0, faults: 'none', store: 'embedded', only: undefined,
  }
  let counts: Readonly<Record<string, number>> = {}
  let course: Course | undefined
  const told = () => ({
    options, plan: [], struck: [], coverage: emptyCoverage(), points: new PlayedPoints(seed, 'none').hits,
    wires: { lost: 0, twice: 0, late: 0, changed: 0, held: 0 }, work: undefined, boots: counts['starts'] ?? 0,
    steps: [], counts,
  })
  try {
    const { hash, events, virtualMs } = await simulate({
      seed, keys, modules: new Map(), maxEvents: Math.ceil(years * EVENTS_PER_YEAR), maxVirtualMs: (years + 1) * YEAR,
      stackFrames: hooks.stackFrames ?? 0, ...(hooks.onLine ? { onLine: hooks.onLine } : {}),
      points: {
        strikes: () => false, saw() {}, crashes: (point, at) => course?.points.crashes(point, at) ?? false,
      },
    }, async (world) => {
      const { keys: judge } = world.startProcess('judge').platform
      const parsed = new Parsed(judge.certificates)
      const broken = (invariant: string, detail: string): void => world.fail(new InvariantBroken(invariant, detail))
      const plane = new ControlPlane({
        world, vault: hooks.change?.('vault', vault) ?? vault, onServes() {},
        onLog: (level, message, fields) => {
          if (level !== 'error' || EXPECTED.test(message)) return
          broken('quiet-log', `${message} ${JSON.stringify(fields ?? {})}`)
        },
      })
      const holders: Holder[] = []
      const promises = new Promises({ world, parsed, holders, broken, onSurvey })
      for (const host of [OOD, ...Array.from({ length: nodes }, (_, index) => `node${index + 1}`)]) {
        holders.push(new Holder({
          world, plane, parsed, host, broken, onChange: (holder) => promises.changed(holder),
          onIssued: (holder, issued) => promises.issued(holder, issued),
        }))
      }
      course = new Course({
        world, plane, holders, promises, years, random: new SeededRandom(`zonewright years ${seed}`),
      })
      const tell = (): void => {
        const renewals = holders.reduce((sum, each) => sum + each.renewals, 0)
        counts = { years, ...promises.counts, ...course!.counts, renewals, starts: plane.starts }
      }
      plane.start()
      for (const holder of holders) holder.start()
      const end = course.start()
      for (let day = 0; day < years * 365; day++) {
        await pause(world.clock, DAY)
        tell()
      }
      end()
      await pause(world.clock, 5 * DAY)
      const term = await course.lastTerm()
      await pause(world.clock, DAY)
      const store = await plane.stop()
      for (const detail of await staleEntries(store, term)) broken('barrier-rotated', detail)
      const { records, repaired, faults } = await auditFaults(await world.openFolder(OOD, AUDIT), judge, store)
      for (const detail of faults) broken('audit-whole', detail)
      tell()
      counts = { ...counts, records, repaired }
    })
    return { ...told(), hash, events, virtualMs, failure: undefined }
  } catch (error) {
    if (!(error instanceof SimulationFailed)) throw error
    return { ...told(), hash: '', events: error.events, virtualMs: error.virtualMs, failure: failureOf(error) }
  }
}
