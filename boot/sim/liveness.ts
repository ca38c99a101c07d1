import { Unavailable, ZonewrightError } from '../../runtime/errors.ts'
import { pause, within } from '../../runtime/within.ts'
import type { SimulatedCluster } from './cluster.ts'
import type { Desk } from './desk.ts'
import { InvariantBroken } from './invariants.ts'
import type { Workload } from './workload.ts'

/** Milliseconds in which everything is back once nothing is wrong any more, and between two looks. */
const BACK_MS = 5 * 60_000
const LOOK_MS = 1_000
/** What was given up stays down until somebody starts it again: an operator does, when it has stood still so long. */
const OPERATOR_MS = 60_000
/** Milliseconds for the actors of a host to tell what they are at. */
const INSPECT_MS = 2_000

/** What an actor of a host needs on its own host. */
type Needs = (name: string, host: string) => readonly string[]

/**
 * The second phase: all hosts and actors serve, people log in, and every acknowledged write is there. What does not
 * come back in time is told with who waits for whom.
 */
export async function settle(
  cluster: SimulatedCluster, desk: Desk, workload: Workload, needs: Needs,
): Promise<void> {
  const { world } = cluster
  const began = world.nowUs
  let restarted = false
  for (;;) {
    const waiting = await missing(cluster, desk, needs)
    if (waiting.length === 0) break
    const tookMs = (world.nowUs - began) / 1_000
    if (!restarted && tookMs > OPERATOR_MS && waiting.some((what) => what.includes('failed'))) {
      restarted = true
      await cluster.restart()
    }
    if (tookMs > BACK_MS) {
      const all = [...waiting, ...await pending(cluster)]
      throw new InvariantBroken('liveness', `stalled for ${Math.round(tookMs / 1_000)} s: ${all.join('; ')}`)
    }
    await pause(world.clock, LOOK_MS)
  }
  await workload.stop()
  const lost = await workload.missing()
  if (lost.length > 0) throw new InvariantBroken('acknowledged-write', lost.join('; '))
}

async function missing(cluster: SimulatedCluster, desk: Desk, needs: Needs): Promise<readonly string[]> {
  const { boot, zone } = cluster
  if (!zone) {
    if (!boot) return ['no boot has begun']
    return [`boot ${boot.number} ${boot.state} at step ${boot.step}`, ...waits(boot.hosts.hosts(), needs)]
  }
  const waiting = waits(zone.hosts(), needs)
  if (waiting.length > 0) return waiting
  try {
    const { token } = await desk.login()
    await desk.call('node-daemon', 'ps', {}, token)
    return []
  } catch (error) {
    if (!(error instanceof ZonewrightError)) throw error
    return [`the desk waits for the gateway: ${error.code} ${error.message}`]
  }
}

type HostStates = ReturnType<NonNullable<SimulatedCluster['zone']>['hosts']>

/** Hosts and actors that should serve and do not, each with what it says, and what it waits for. */
function waits(hosts: HostStates, needs: Needs): readonly string[] {
  return hosts.flatMap(({ host, state, reason, actors }) => {
    const down = actors.filter((actor) => actor.state !== 'serving' && actor.state !== 'stopped')
    const serving = new Set(actors.filter((actor) => actor.state === 'serving').map(({ name }) => name))
    return [
      ...(state === 'serving' ? [] : [`${host} is ${state}${because(reason)}`]),
      ...down.map((actor) => {
        const absent = needs(actor.name, host).filter((need) => !serving.has(need))
        const waiting = absent.length === 0 ? '' : `, waits for ${absent.join(' and ')}`
        return `${actor.name} on ${host} is ${actor.state}${waiting}${because(actor.reason)}`
      }),
    ]
  })
}

const because = (reason: string): string => (reason === '' ? '' : `: ${reason}`)

/** Calls that actors have before them, or in hand, of every host that answers. */
async function pending(cluster: SimulatedCluster): Promise<readonly string[]> {
  const { world, boot } = cluster
  const late = (): Error => new Unavailable('It does not answer')
  const lives = boot?.hosts.all().filter(({ state }) => state === 'serving') ?? []
  const all = await Promise.all(lives.map(async ({ name, supervisor }) => {
    const found = await within(world.clock, INSPECT_MS, supervisor.inspect(), late).catch(() => [])
    return found.filter(({ waiting, running }) => waiting + running > 0)
      .map(({ actor, waiting, running }) => `${actor} on ${name} has ${running} calls in hand, ${waiting} wait`)
  }))
  return all.flat()
}
