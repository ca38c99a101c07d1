import { SelfCheckFailed } from '../errors.ts'
import type { Proof, ProofResult } from '../prove.ts'
import type { Style } from '../render.ts'
import type { BootedZone, Say } from './boot-zone.ts'

/** Attacks the running zone and shows what became of each attempt. @throws what ends the check itself */
export async function selfCheck({ zone, platform }: BootedZone, say: Say, style: Style): Promise<Proof> {
  const { prove } = await import('../prove.ts')
  say('')
  say(`${style.bold('Self-check')}: calls that must work, and attacks that must be refused`)
  const proof = await prove(zone, platform, (result) => say(proofLine(result, style)))
  say('')
  say(proofSummary(proof, style))
  return proof
}

const VERDICT_WIDTH = 7
const NAME_WIDTH = 56

const verdictOf = (outcome: string): string => (outcome === 'denied' ? 'refused' : outcome)

/** `refused  A login for the vault   Denied  login/role` */
export function proofLine({ name, expected, outcome, code, reason, ok }: ProofResult, style: Style): string {
  const verdict = verdictOf(outcome).padEnd(VERDICT_WIDTH)
  const why = [code, reason].filter((text) => text !== '').join('  ')
  const shown = ok ? style.good(verdict) : style.bad(verdict)
  const line = `  ${shown}  ${name.padEnd(NAME_WIDTH)}  ${style.dim(why)}`.trimEnd()
  return ok ? line : `${line}  ${style.bad(`expected: ${verdictOf(expected)}`)}`
}

function proofSummary({ results, failed }: Proof, style: Style): string {
  const good = (kind: ProofResult['expected']): number =>
    results.filter(({ ok, expected }) => ok && expected === kind).length
  const wrong = failed === 0 ? 'nothing got in' : style.bad(`${failed} not as expected`)
  return `${good('denied')} attacks refused, ${good('allowed')} allowed calls worked, ${wrong}`
}

/** @throws SelfCheckFailed naming what got in, or what should have been allowed */
export function assertPassed({ results, failed }: Proof): void {
  if (failed === 0) return
  const wrong = (kind: ProofResult['expected']): string =>
    results.filter(({ ok, expected }) => !ok && expected === kind).map(({ name }) => name).join(', ')
  const parts = [['not refused', wrong('denied')], ['did not work', wrong('allowed')]] as const
  const said = parts.filter(([, names]) => names !== '').map(([what, names]) => `${what}: ${names}`)
  const next = 'Do not rely on this zone; `prove --debug` shows more'
  throw new SelfCheckFailed(`The self-check failed: ${said.join('; ')}`, { next })
}
