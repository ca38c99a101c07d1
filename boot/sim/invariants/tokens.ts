import { EPOCH_MS } from '../../../runtime/sim/host-clock.ts'
import type { AcceptedToken } from '../../../runtime/fault-points.ts'
import { OOD } from '../cluster.ts'
import type { Checks, Scene } from '../invariants.ts'

const MINUTE = 60
/** Seconds that a clock may be behind the one that signed. */
const SKEW = 60

interface Row {
  readonly by: RegExp
  readonly sub: (token: AcceptedToken['claims']) => boolean
  readonly seconds: number
  readonly alone?: true
}

/** Names that no login has: `su_*` lives in the policy, kernel actors log in for their device. */
const RESERVED = /^(root|su_.*|kernel|system-config|boot-scheduler|scheduler|verify-hub|vault)$/

const session: Row = {
  by: /^boot-config\.verify-hub$/, seconds: 15 * MINUTE,
  sub: ({ sub, sid }) => sub === 'verify-hub' || (!RESERVED.test(sub) && sid !== undefined),
}
const device: Row = {
  by: /^env$/, seconds: 15 * MINUTE, sub: ({ sub, iss, runtimeType }) => sub === iss && runtimeType === 'ood',
}
const sudo: Row = {
  by: /^users\/[^/]+\/doc$/, seconds: 3 * MINUTE, alone: true,
  sub: ({ sub, iss, runtimeType }) => sub === iss && !RESERVED.test(sub) && runtimeType === 'user',
}
const root: Row = { by: /^boot-config\.root$/, seconds: 5 * MINUTE, alone: true, sub: ({ sub }) => sub === 'root' }

/**
 * The trust matrix again, written from the design and not from the code: verifier and phase, then use. What production
 * accepts has to be here as well.
 */
const allowed: Readonly<Record<string, Readonly<Record<string, readonly Row[]>>>> = {
  'system-config/boot': {
    boot: [{ by: /^env$/, seconds: 15 * MINUTE, alone: true, sub: ({ sub }) => sub === 'scheduler' }],
    session: [device],
  },
  'system-config/normal': { session: [device, session], root: [root], sudo: [sudo] },
  'verify-hub/normal': {
    login: [{
      by: /^devices\/[^/]+\/doc$/, seconds: 20 * MINUTE, alone: true,
      sub: ({ sub, iss }) => !RESERVED.test(sub) && !RESERVED.test(iss),
    }],
    refresh: [{
      by: /^boot-config\.verify-hub$/, seconds: 7 * 24 * 60 * MINUTE, alone: true,
      sub: ({ sub, sid }) => !RESERVED.test(sub) && sid !== undefined,
    }],
    session: [session],
    sudo: [sudo],
  },
  /** Used up there for a service that judges it as well. */
  'verify-hub/burn': { root: [root], sudo: [sudo] },
  'kernel-service/normal': { session: [session], root: [root], sudo: [sudo] },
  'service/normal': { session: [session], root: [root], sudo: [sudo] },
  'node/normal': { session: [session], root: [root] },
  'gateway/normal': { session: [session] },
}

const hostOf = (at: string): string => at.split('/')[0] ?? ''

/** What the wall clocks have shown lately: between its look at the clock and its verdict a verifier may wait. */
class WallTimes {
  readonly #world: Scene['world']
  readonly #ahead = new Map<string, { readonly ms: number; untilMs: number }[]>()

  constructor(world: Scene['world']) {
    this.#world = world
  }

  look(hosts: readonly string[]): void {
    const nowMs = this.#world.nowUs / 1_000
    for (const host of hosts) {
      const ms = this.#world.aheadMs(host)
      const known = (this.#ahead.get(host) ?? []).filter(({ untilMs }) => nowMs - untilMs < VERDICT_MS)
      const same = known.find((one) => Math.abs(one.ms - ms) < 1_000)
      if (same) same.untilMs = nowMs
      else known.push({ ms, untilMs: nowMs })
      this.#ahead.set(host, known)
    }
  }

  showed(host: string, seconds: number): boolean {
    this.look([host])
    const nowMs = EPOCH_MS + this.#world.nowUs / 1_000
    return this.#ahead.get(host)!.some(({ ms }) => {
      const agoMs = nowMs + ms - seconds * 1_000
      return agoMs > -2_000 && agoMs < VERDICT_MS
    })
  }
}

/** A verdict may wait for its store for as long as a store may take, and once more. */
const VERDICT_MS = 60_000

export function onlyTheMatrix({ world, cluster, broken }: Scene): Checks {
  let booted = false
  const once = new Set<string>()
  const times = new WallTimes(world)
  return {
    second: () => times.look(cluster.hostNames),
    commit(path, changes) {
      if (path.includes(`${OOD}:`) && path.endsWith('/system-config')) {
        booted ||= changes.some(({ writes }) => writes.some(({ key }) => key === 'kv/boot/config'))
      }
    },
    token(token, at) {
      const { rule, claims, audience, nowSeconds, tokenUse } = token
      const no = (why: string): void => broken(`${at} accepted a ${tokenUse} token of ${claims.sub} by ${rule}: ${why}`)
      const verifier = rule.split('/').slice(0, 2).join('/')
      const rows = allowed[verifier]?.[tokenUse] ?? []
      const row = rows.find(({ by, sub }) => by.test(token.keyReason) && sub(claims))
      if (!row) return no(`key of ${token.keyReason}, iss ${claims.iss}`)
      if (claims.exp - claims.iat > row.seconds) no(`it lives ${claims.exp - claims.iat} s`)
      if (!claims.aud.includes(audience) || (row.alone && claims.aud.length !== 1)) no(`aud ${claims.aud.join(' ')}`)
      if (!times.showed(hostOf(at), nowSeconds)) no(`it was judged by another time than its host's: ${nowSeconds}`)
      if (claims.exp <= nowSeconds) no(`it had expired ${nowSeconds - claims.exp} s ago`)
      if (claims.iat - nowSeconds > SKEW) no(`it is from ${claims.iat - nowSeconds} s ahead`)
      if (verifier.endsWith('/boot') && booted) no('boot/config exists already')
      if (tokenUse !== 'root' && tokenUse !== 'sudo') return
      const use = `${verifier} ${claims.jti}`
      if (once.has(use)) no('it was used before')
      once.add(use)
    },
  }
}

/** Who has ended a session was answered when nobody accepts it any more. */
export function revokedStaysOut({ world, revoked, broken }: Scene): Checks {
  return {
    token({ claims }, at) {
      const since = claims.sid === undefined ? undefined : revoked.get(claims.sid)
      // verify-hub reads the session after it has looked at the token: the desk asks what came of it
      if (since === undefined || at.endsWith('/verify-hub')) return
      broken(`${at} accepts session ${claims.sid}, ${world.nowUs / 1_000 - since} ms after its end`)
    },
  }
}
