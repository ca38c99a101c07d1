import type { ActorStart } from '../../runtime/actor.ts'
import { messageOf } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import { toBase64url } from '../../runtime/trust/base64url.ts'
import type { Endings } from './endings.ts'
import type { Lockout } from './lockout.ts'
import { readRiskRules, riskRules, type RiskEvent, type RiskRule } from './risk-rules.ts'
import type { Session, Sessions } from './sessions.ts'
import { openTallies } from './tallies.ts'

/** Whom an event is about, as far as it says. */
export interface Whose {
  readonly user?: string
  readonly session?: string
  readonly device?: string
}

/** Counts what speaks of theft and guessing, and takes sessions away by the rules. */
export interface Risk {
  /** Settles when what follows from it is done; it never throws: who caused it is refused anyway. */
  saw(event: RiskEvent, whose: Whose): Promise<void>
  /** Text of `services/verify-hub/settings`, or none. Rules that are wrong change nothing, and the log says why. */
  follow(text: string | undefined): void
  readonly rules: readonly RiskRule[]
  sweep(): Promise<number>
}

interface Parts {
  readonly start: Pick<ActorStart, 'store' | 'clock' | 'keys' | 'log' | 'count'>
  readonly sessions: Sessions
  readonly endings: Endings
  readonly lockout: Lockout
}

/** A device's own session is no user's, whatever the device is called. */
export const whoseOf = ({ sid, sub, host }: Session): Whose => ({
  session: sid, ...(sub === host ? {} : { user: sub }), ...(host === null ? {} : { device: host }),
})

export function createRisk({ start, sessions, endings, lockout }: Parts): Risk {
  const { store, clock, keys, log, count } = start
  /** When it was seen, newest last: no more of them than the rule counts. */
  const seen = openTallies<readonly number[]>(store, 'risk', limits.riskSubjects)
  let rules = riskRules

  const livingOf = async (per: RiskRule['per'], name: string): Promise<string[]> => {
    const sids: string[] = []
    // A user's are those that a device of that name does not have for itself
    const isOf = ({ sub, host }: { sub: string; host: string | null }): boolean =>
      per === 'device' ? host === name : sub !== host
    for await (const living of sessions.living(per === 'user' ? name : undefined)) {
      if (isOf(living)) sids.push(living.sid)
    }
    return sids
  }

  const act = async ({ id, per, action, forMs }: RiskRule, name: string, whose: Whose): Promise<void> => {
    count(`verify_hub_risk_total{rule="${id}"}`)
    log.warn(`Risk rule ${id} holds: ${action}`, { rule: id, [per]: name })
    const reason = `risk: ${id}`
    if (action === 'lock') await lockout.lock(name, forMs!)
    else if (action === 'end-sessions') await endings.endQuietly(await livingOf(per, name), reason)
    else if (whose.session !== undefined) await endings.endQuietly([whose.session], reason)
  }

  const judge = async (rule: RiskRule, name: string, whose: Whose): Promise<void> => {
    const nowMs = clock.now()
    // Names come from outside, also those of nobody
    const key = `${rule.id}-${toBase64url(keys.hash(new TextEncoder().encode(name)))}`
    let holds = false
    await seen.update(key, (known = []) => {
      const times = [...known.filter((at) => at > nowMs - rule.withinMs && at <= nowMs), nowMs].slice(-rule.count)
      holds = times.length >= rule.count
      // From then on it counts anew
      return holds ? undefined : { value: times, untilMs: nowMs + rule.withinMs }
    })
    if (holds) await act(rule, name, whose)
  }

  return {
    get rules() { return rules },
    async saw(event, whose) {
      count(`verify_hub_risk_events_total{event="${event}"}`)
      for (const rule of rules) {
        const name = whose[rule.per]
        if (rule.event !== event || name === undefined) continue
        await judge(rule, name, whose).catch((error: unknown) => {
          log.error(`Risk rule ${rule.id} could not be judged: ${messageOf(error)}`)
        })
      }
    },
    follow(text) {
      try {
        rules = (text === undefined ? undefined : readRiskRules(text)) ?? riskRules
      } catch (error) {
        log.warn(`The risk rules stay as they were: ${messageOf(error)}`)
      }
    },
    sweep: () => seen.sweep(clock.now()),
  }
}
