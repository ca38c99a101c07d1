import { SelfCheckFailed } from '../errors.ts'
import type { ProofResult } from '../prove.ts'
import type { Style } from '../render.ts'
import type { BootedZone } from './boot-zone.ts'

export interface SelfCheck {
  readonly passed: number
  readonly failed: number
  readonly results: readonly ProofResult[]
}

/** Attacks the running zone and shows what became of each attempt. @throws whatever ends the check itself */
export async function selfCheck({ zone, platform }: BootedZone, say: (line: string) => void, style: Style): Promise<SelfCheck> {
  const { prove } = await import('../prove.ts')
  say('')
  say(style.bold('Self-check: allowed calls, and attacks that must be refused'))
  const check = await prove(zone, platform, (result) => say(proofLine(result, style)))
  say(`${check.passed} passed, ${check.failed} failed`)
  return check
}

const VERDICT_WIDTH = 8
const NAME_WIDTH = 62

export function proofLine({ name, expected, outcome, code, reason, ok }: ProofResult, style: Style): string {
  const verdict = outcome === 'denied' ? 'refused' : outcome
  const shown = ok ? style.good(verdict.padEnd(VERDICT_WIDTH)) : style.bad(verdict.padEnd(VERDICT_WIDTH))
  const wrong = ok ? '' : style.bad(`  expected: ${expected === 'denied' ? 'refused' : expected}`)
  const why = [code, reason].filter((text) => text !== '' && text !== undefined).join('  ')
  return `  ${shown}  ${name.padEnd(NAME_WIDTH)}  ${style.dim(why)}`.trimEnd() + wrong
}

/** @throws SelfCheckFailed naming what got in, or what should have been allowed */
export function assertPassed({ results, failed }: SelfCheck): void {
  if (failed === 0) return
  const wrong = results.filter(({ ok }) => !ok)
  const gotIn = wrong.filter(({ expected }) => expected === 'denied').map(({ name }) => name)
  const refused = wrong.filter(({ expected }) => expected === 'allowed').map(({ name }) => name)
  const parts = [
    ...(gotIn.length === 0 ? [] : [`not refused: ${gotIn.join(', ')}`]),
    ...(refused.length === 0 ? [] : [`not allowed: ${refused.join(', ')}`]),
  ]
  throw new SelfCheckFailed(`The self-check failed: ${parts.join('; ')}`, { next: 'Do not use this zone; report what got in' })
}
