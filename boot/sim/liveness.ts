import { ZonewrightError } from '../../runtime/errors.ts'
import { pause } from '../../runtime/within.ts'
import type { SimulatedCluster } from './cluster.ts'
import type { Desk } from './desk.ts'
import { InvariantBroken } from './invariants.ts'
import type { Workload } from './workload.ts'

/** Milliseconds in which everything is back once nothing is wrong any more, and between two looks. */
const BACK_MS = 5 * 60_000
const LOOK_MS = 1_000
/** What was given up stays down until somebody starts it again: an operator does, when it has stood still so long. */
const OPERATOR_MS = 60_000

/**
 * The second phase: all hosts and actors serve, people log in, and every acknowledged write is there. What does not
 * come back in time is told with who waits for whom.
 */
export async function settle(cluster: SimulatedCluster, desk: Desk, workload: Workload): Promise<void> {
  const { world } = cluster
  const began = world.nowUs
  let restarted = false
  for (;;) {
    const waiting = await missing(cluster, desk)
    if (waiting.length === 0) break
    const tookMs = (world.nowUs - began) / 1_000
    if (!restarted && tookMs > OPERATOR_MS && waiting.some((what) => what.includes('failed'))) {
      restarted = true
      await cluster.restart()
    }
    if (tookMs > BACK_MS) {
      throw new InvariantBroken('liveness', `stalled for ${Math.round(tookMs / 1_000)} s: ${waiting.join('; ')}`)
    }
    await pause(world.clock, LOOK_MS)
  }
  await workload.stop()
  const lost = await workload.missing()
  if (lost.length > 0) throw new InvariantBroken('acknowledged-write', lost.join('; '))
}

async function missing(cluster: SimulatedCluster, desk: Desk): Promise<readonly string[]> {
  const { boot, zone } = cluster
  if (!zone) {
    const hosts = boot?.hosts.hosts() ?? []
    return [`boot ${boot?.number ?? 0} ${boot?.state ?? 'has not begun'} at step ${boot?.step ?? 0}`, ...waits(hosts)]
  }
  const waiting = waits(zone.hosts())
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

/** Hosts and actors that should serve and do not, each with what it says. */
function waits(hosts: HostStates): readonly string[] {
  return hosts.flatMap(({ host, state, reason, actors }) => [
    ...(state === 'serving' ? [] : [`${host} is ${state}${reason === '' ? '' : `: ${reason}`}`]),
    ...actors.filter(({ state: its }) => its !== 'serving' && its !== 'stopped')
      .map((actor) => `${actor.name} on ${host} is ${actor.state}${actor.reason === '' ? '' : `: ${actor.reason}`}`),
  ])
}
