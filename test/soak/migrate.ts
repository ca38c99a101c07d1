/**
 * Stores that move into a real etcd of three members over TLS, by processes that are killed with kill -9 at phases of
 * the move, while members of etcd are killed and stopped. In the end all is there: each entry, the count, the digest,
 * and every write that was acknowledged.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { movePhases } from '../../runtime/store/move/move.ts'
import { startCluster, type EtcdCluster } from '../runtime/etcd-server.ts'
import { killRun } from '../runtime/move-kills.ts'
import { numbersOf } from './kills.ts'

export const migrateHelp = `migrate [--seeds 1..200]
    moves stores into etcd while processes and members of etcd are killed; each seed is one store`

export interface MigrateSoakOptions {
  readonly first: number
  readonly last: number
}

const ENTRIES = 3_000
/** Runs in a row that only kill our process; then as many in which members are struck as well. */
const TURN = 10

export async function soakMigrate({ first, last }: MigrateSoakOptions): Promise<{ passed: number; failed: number }> {
  const cluster = await startCluster()
  let [passed, failed, kills, strikes] = [0, 0, 0, 0]
  try {
    for (let seed = first; seed <= last; seed++) {
      const random = numbersOf(seed)
      const dieAt = drawn(random)
      kills += dieAt.length
      const striking = Math.floor(seed / TURN) % 2 === 1
      let over = false
      const struck = striking ? strikeMembers(cluster, random, () => over) : Promise.resolve(0)
      const to = {
        type: 'etcd', endpoints: cluster.endpoints, prefix: `/soak/${seed}`, credentials: cluster.credentials,
      } as const
      const { faults } = await killRun({ to, entries: ENTRIES, dieAt, failures: striking ? 10 : 0, withinMs: 120_000 })
      over = true
      strikes += await struck
      if (faults.length === 0) passed++
      else {
        failed++
        console.log(`seed ${seed}, killed at ${dieAt.join(', ')}: ${faults.slice(0, 5).join('; ')}`)
      }
      if ((seed - first) % TURN !== TURN - 1) continue
      console.log(`${seed} of ${last}: ${passed} passed, ${kills} kills, ${strikes} strikes on members`)
    }
    return { passed, failed }
  } finally {
    await cluster.end()
  }
}

/** One to four ends on the way. */
function drawn(random: () => number): readonly (string | number)[] {
  return Array.from({ length: 1 + Math.floor(random() * 4) }, () => {
    const at = Math.floor(random() * (movePhases.length + 3))
    return movePhases[at] ?? Math.ceil(random() * ENTRIES)
  })
}

/** One member at a time, so that there is a leader again after each. @returns how many */
async function strikeMembers(cluster: EtcdCluster, random: () => number, isOver: () => boolean): Promise<number> {
  let strikes = 0
  while (!isOver()) {
    await sleep(300 + random() * 1_500)
    if (isOver()) break
    const member = cluster.members[Math.floor(random() * cluster.members.length)]!
    strikes++
    if (random() < 0.5) {
      await member.kill()
      await sleep(random() * 1_500)
      member.start()
    } else {
      member.freeze()
      await sleep(random() * 2_500)
      member.thaw()
    }
    // Until it has caught up: two at a time would be no fault, but the end of the cluster
    await sleep(1_000)
  }
  return strikes
}
