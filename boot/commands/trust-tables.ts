import { bootPhase, loginActions } from '../../actors/login-actions.ts'
import {
  issuers, keyReason, loginTypes, matrix, rulesFor, type Phase, type Role, type Verifier,
} from '../../actors/trust-matrix.ts'
import type { TokenRule } from '../../runtime/trust/verify.ts'

/** The trust matrix and what each role does to log in, as rows of text: nothing here is known but from the data. */

/** One kind of token that one verifier accepts. */
export interface MatrixRow {
  readonly verifier: Verifier
  readonly phase: Phase
  readonly use: string
  /** Why the key that signs is known, and whom it signs for. */
  readonly key: string
  readonly issuer: string
  readonly sub: string
  readonly aud: string
  readonly runtimeTypes: string
  readonly lifetime: string
  readonly once: boolean
}

/** By the reason of a key: `iss` of what it signs. */
const issuerOf: Readonly<Record<string, string>> = {
  [keyReason.env]: 'this device', [keyReason.root]: issuers.root, [keyReason.verifyHub]: issuers.verifyHub,
  [keyReason.device]: 'that device', [keyReason.user]: 'that user',
}

export const verifiers = Object.keys(matrix) as readonly Verifier[]
const phases: readonly Phase[] = ['boot', 'normal']

export const matrixRows = (): readonly MatrixRow[] => verifiers.flatMap((verifier) => phases.flatMap((phase) =>
  rulesFor(verifier, phase).map((rule) => ({ verifier, phase, ...textOf(rule) }))))

/** Signed by verify-hub, with the number of a session. */
const OF_A_LOGIN = 'any, with a sid'

function textOf(rule: TokenRule): Omit<MatrixRow, 'verifier' | 'phase'> {
  const { tokenUse, keyReasons, subject, audience, audienceAlone, runtimeTypes, lifetimeSecondsMax, once } = rule
  const anybody = rule.requireSession ? OF_A_LOGIN : 'any'
  return {
    use: tokenUse, key: keyReasons.join(', '), issuer: keyReasons.map((reason) => issuerOf[reason] ?? '?').join(', '),
    sub: subject === 'any' ? anybody : subject === 'issuer' ? 'as iss' : subject.is.join(', '),
    aud: audienceAlone ? 'it alone' : audience ? 'it and others' : 'any',
    runtimeTypes: runtimeTypes?.join(', ') ?? 'any', lifetime: seconds(lifetimeSecondsMax), once,
  }
}

const UNITS = [[86_400, 'd'], [60, 'min']] as const

function seconds(count: number): string {
  const unit = UNITS.find(([size]) => count % size === 0)
  return unit ? `${count / unit[0]} ${unit[1]}` : `${count} s`
}

export const roles = Object.keys(loginTypes) as readonly Role[]

export interface ActionRow {
  readonly role: Role
  readonly loginType: string
  readonly action: string
  readonly callee: string | null
  readonly shows: string | null
  readonly when: string
}

export const actionRows = (role?: Role): readonly ActionRow[] => loginActions
  .filter((row) => role === undefined || row.role === role)
  .map(({ role: of, action, callee = null, shows = null, when }) =>
    ({ role: of, loginType: loginTypes[of], action, callee, shows, when }))

/** What a role has to do with: what it checks, and what its own tokens meet, the sessions that a login gives too. */
export function rowsOfRole(role: Role): readonly MatrixRow[] {
  const mine = loginActions.filter((row) => row.role === role)
  const logsIn = mine.some(({ action, shows }) => shows === 'password' || action.startsWith('login_by_jwt'))
  return matrixRows().filter(({ verifier, use, sub }) => verifier === verifierOf(role)
    || mine.some(({ callee, shows }) => callee === verifier && shows === use)
    || (logsIn && use === 'session' && sub === OF_A_LOGIN))
}

/** As which row of the matrix a role checks tokens; those that are not there check none. */
function verifierOf(role: Role): Verifier | undefined {
  if (role === 'scheduler') return 'kernel-service'
  return verifiers.find((verifier) => verifier === role)
}

/** What differs between the two phases of system-config: the first three from the matrix. */
export function phaseRows(): readonly (readonly [what: string, boot: string, normal: string])[] {
  const of = (phase: Phase, text: (rule: TokenRule) => string): string =>
    [...new Set(rulesFor('system-config', phase).map(text))].join('; ')
  const both = (text: (rule: TokenRule) => string): [string, string] => [of('boot', text), of('normal', text)]
  return [
    ['tokens', ...both(({ tokenUse, keyReasons }) => `${tokenUse} by ${keyReasons.join(', ')}`)],
    ['key sources', ...both(({ keyReasons }) => keyReasons.join(', '))],
    ['subjects', ...both((rule) => textOf(rule).sub)],
    ['keys', bootPhase.keys.boot, bootPhase.keys.normal],
    ['writes', bootPhase.writes.boot, bootPhase.writes.normal],
  ]
}

export const phaseLines: readonly (readonly [string, string])[] = [
  ['begins', bootPhase.begins], ['ends', bootPhase.switch], ['comes back', bootPhase.back],
]
