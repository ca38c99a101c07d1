import { safeParse } from 'valibot'
import { InvalidArgument } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import {
  array, integer, maxLength, maxValue, minValue, number, object, optional, picklist, pipe, regex, string, type Infer,
} from '../../runtime/protocol.ts'

/**
 * When verify-hub takes sessions away by itself: after so many of one event within a time, for one user, session or
 * device. What a single copied refresh token or number does to its own session is no rule: that cannot be turned off.
 */

const milliseconds = pipe(number(), integer(), minValue(1), maxValue(limits.riskMs))

export const RiskEvent = picklist([
  /** A wrong password. */
  'password-failed',
  /** A refresh token that had its successor. */
  'refresh-reused',
  /** A refresh token that another key presented. */
  'holder-mismatch',
  /** A device's login token that another key had used. */
  'login-replayed',
  /** A number that a password had been hashed with. */
  'nonce-reused',
  /** A sudo token, signed by its user, that was used before. */
  'sudo-replayed',
  /** A sudo token that was refused for another reason, signed by its user. */
  'sudo-failed',
])
export type RiskEvent = Infer<typeof RiskEvent>

const RiskRule = object({
  id: pipe(string(), regex(/^[a-z][a-z0-9-]{0,62}$/)),
  event: RiskEvent,
  per: picklist(['user', 'session', 'device']),
  count: pipe(number(), integer(), minValue(1), maxValue(limits.riskCount)),
  withinMs: milliseconds,
  /** `lock`: no password logs the user in, `forMs` long. */
  action: picklist(['end-session', 'end-sessions', 'lock']),
  forMs: optional(milliseconds),
})
export type RiskRule = Infer<typeof RiskRule>

const RiskRules = pipe(array(RiskRule), maxLength(limits.riskRules))

const HOUR_MS = 60 * 60_000
const SOON = { count: 3, withinMs: 10 * 60_000 }

/** While the settings name no others. */
export const riskRules: readonly RiskRule[] = [
  // Somebody copies what this user holds, again and again
  { id: 'refresh-theft', event: 'refresh-reused', per: 'user', ...SOON, action: 'end-sessions' },
  { id: 'holder-theft', event: 'holder-mismatch', per: 'user', ...SOON, action: 'end-sessions' },
  { id: 'nonce-theft', event: 'nonce-reused', per: 'user', count: 3, withinMs: HOUR_MS, action: 'end-sessions' },
  { id: 'sudo-theft', event: 'sudo-replayed', per: 'user', ...SOON, action: 'end-sessions' },
  // So slow that the lock after a few in a row does not stop it
  {
    id: 'slow-guessing', event: 'password-failed', per: 'user', count: 50, withinMs: 24 * HOUR_MS, action: 'lock',
    forMs: HOUR_MS,
  },
]

/** What each subject can be made to suffer. */
const actions: Readonly<Record<RiskRule['per'], readonly RiskRule['action'][]>> = {
  user: ['end-session', 'end-sessions', 'lock'], session: ['end-session'], device: ['end-sessions'],
}

/** What each event says of: without it a rule would never hold. */
const told: Readonly<Record<RiskEvent, readonly RiskRule['per'][]>> = {
  'password-failed': ['user'], 'refresh-reused': ['user', 'session', 'device'],
  'holder-mismatch': ['user', 'session', 'device'], 'login-replayed': ['device'], 'nonce-reused': ['user', 'session'],
  'sudo-replayed': ['user'], 'sudo-failed': ['user'],
}

/** Of `services/verify-hub/settings`; undefined when it names none. @throws InvalidArgument: then none of it holds */
export function readRiskRules(text: string): readonly RiskRule[] | undefined {
  const fault = (what: string): Error => new InvalidArgument(`riskRules: ${what}`)
  let settings: unknown
  try {
    settings = JSON.parse(text)
  } catch {
    throw fault('the settings are not JSON')
  }
  const given = (settings as { readonly riskRules?: unknown } | null)?.riskRules
  if (given === undefined) return undefined
  const parsed = safeParse(RiskRules, given)
  if (!parsed.success) {
    const [issue] = parsed.issues
    throw fault(`${(issue.path ?? []).map(({ key }) => String(key)).join('.')}: ${issue.message}`)
  }
  const rules = parsed.output
  for (const { id, event, per, action, forMs } of rules) {
    if (!told[event].includes(per)) throw fault(`${id}: ${event} says nothing of a ${per}`)
    if (!actions[per].includes(action)) throw fault(`${id}: ${action} is nothing that befalls a ${per}`)
    if (action === 'end-session' && !told[event].includes('session')) throw fault(`${id}: ${event} names no session`)
    if ((action === 'lock') !== (forMs !== undefined)) throw fault(`${id}: forMs goes with lock, and with nothing else`)
  }
  if (new Set(rules.map(({ id }) => id)).size < rules.length) throw fault('two of them have one id')
  return rules
}
