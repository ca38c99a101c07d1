import type { Platform } from '../runtime/platform/ports.ts'
import { aftermath, allowedCalls } from './prove/allowed.ts'
import { callAttacks } from './prove/calls.ts'
import { frameAttacks } from './prove/frames.ts'
import { handshakeAttacks } from './prove/handshake.ts'
import { judge, type Attempt, type ProofResult } from './prove/judge.ts'
import { policyAttacks } from './prove/policy.ts'
import { Scene } from './prove/scene.ts'
import { bootAttacks } from './prove/second-boot.ts'
import { sessionAttacks } from './prove/sessions.ts'
import { tokenAttacks } from './prove/tokens.ts'
import type { RunningZone } from './up.ts'

export type { ProofResult } from './prove/judge.ts'

export interface Proof {
  readonly passed: number
  readonly failed: number
  readonly results: readonly ProofResult[]
}

export const attempts: readonly Attempt[] = [
  ...allowedCalls, ...frameAttacks, ...handshakeAttacks, ...callAttacks, ...tokenAttacks, ...sessionAttacks,
  ...policyAttacks, ...bootAttacks,
]

/**
 * Makes calls that must work, and attacks that must be refused for the very reason that is expected, on a zone that
 * runs. It holds what an OOD holds: the device key, not the owner key. It leaves nothing behind.
 */
export async function prove(
  zone: RunningZone, platform: Platform, onResult: (result: ProofResult) => void = () => {},
): Promise<Proof> {
  const scene = new Scene(zone, platform)
  const results: ProofResult[] = []
  for (const attempt of [...attempts, ...aftermath(scene)]) {
    const result = await judge(attempt, scene)
    results.push(result)
    onResult(result)
  }
  const passed = results.filter(({ ok }) => ok).length
  return { passed, failed: results.length - passed, results }
}
