/** What the simulator sees of hosts that join, and of several OODs over one store. */
import type { Guard } from '../guard.ts'

const played = (
  scenario: 'hosts' | 'oods', file: string, name: string, guard: string, without: string, seed: number,
  invariant: string,
): Guard => ({ name, file, guard, without, judge: { by: 'seed', seed, options: { scenario }, invariant } })

export const simHosts: readonly Guard[] = [
  played(
    'hosts', 'boot/join/join-client.ts', 'a join whose answer was lost is finished as the device that it is',
    'if (!(error instanceof JoinTokenUsed)) throw error', 'throw error', 2, 'token-once',
  ),
  played(
    'oods', 'actors/system-config/leaders.ts', 'nobody begins a term while another host has one',
    'if (entry && (leaderIn(entry).host !== self.host || isLate)) return follows(entry)', '', 2, 'one-leader',
  ),
  played(
    'oods', 'actors/leading.ts', 'who is told that another leads does not',
    'if (led.leads) hold(led, askedMs)', 'if (led.term > 0) hold(led, askedMs)', 2, 'one-leader',
  ),
  played(
    'oods', 'actors/leading.ts', 'whoever does not lead asks again and again',
    'current && failures === 0 ? limits.leaderRenewMs : limits.leaderAskMs', '600_000', 0, 'leader-moves',
  ),
]
