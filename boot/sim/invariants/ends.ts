import { limits } from '../../../runtime/limits.ts'
import type { ActorEvent } from '../../../runtime/trace.ts'
import { exitCodes } from '../../errors.ts'
import type { Checks, Scene } from '../invariants.ts'

/** Of the first host. Then the boot waits for its nodes, a few at a time, each for twice as long as an actor. */
const BOOT_MS_MAX = 10 * 60_000

export function everyBootEnds({ world, cluster, broken }: Scene): Checks {
  const told = new Set<number>()
  const rounds = Math.ceil((cluster.hostNames.length - 1) / limits.nodesAtOnce)
  const msMax = BOOT_MS_MAX + rounds * 2 * limits.startMs
  return {
    second() {
      const { boot } = cluster
      if (!boot || told.has(boot.number)) return
      const tookMs = world.nowUs / 1_000 - boot.began
      if (boot.state === 'boots' && tookMs > msMax) {
        told.add(boot.number)
        broken(`boot ${boot.number} has not ended after ${Math.round(tookMs / 1_000)} s, at step ${boot.step}`)
      }
      if (boot.error) {
        told.add(boot.number)
        if (exitCodes[boot.error.code] === undefined) broken(`boot ${boot.number}: ${boot.error.code} has no exit code`)
      }
    },
  }
}

/** Of one actor, how often it died and was to come back. */
interface Deaths { last: ActorEvent | undefined; readonly atMs: number[] }

export function restartLimitAtOnce({ world, broken }: Scene): Checks {
  const actors = new Map<string, Deaths>()
  return {
    boot: () => actors.clear(),
    host({ host, state }) {
      if (state !== 'starting') return
      for (const key of [...actors.keys()]) if (key.startsWith(`${host}/`)) actors.delete(key)
    },
    actor(event) {
      const { host, actor, state, reason } = event
      const key = `${host}/${actor}`
      const deaths = actors.get(key) ?? { last: undefined, atMs: [] }
      actors.set(key, deaths)
      const nowMs = world.nowUs / 1_000
      if (state === 'restarting') deaths.atMs.push(nowMs)
      // Those that need one which is given up are given up with its reason
      if (state === 'failed' && reason.startsWith(`${actor} died more than`)) {
        const within = deaths.atMs.filter((at) => nowMs - at < limits.restartWindowMs * 1.03)
        if (within.length < limits.restarts) broken(`${key} is given up after ${within.length} restarts`)
        const { last } = deaths
        if (last?.state === 'died' && event.at !== last.at) {
          broken(`${key} died at ${last.at}, and is given up at ${event.at}`)
        }
      }
      deaths.last = event
    },
  }
}
