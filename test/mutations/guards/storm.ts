/** What a storm finds: guards whose absence breaks an invariant of a simulated run, each with a seed that shows it. */
import type { Guard, SeedJudge } from '../guard.ts'

const options = { nodes: 2, hours: 0.006, faults: 'storm', keys: 'cheap' } as const
/** Where it takes a fault that comes once in many seeds. */
const longer = { ...options, hours: 0.01 } as const

type SeedRow = readonly [
  name: string, guard: string, without: string, seed: number, invariant: string, given?: SeedJudge['options'],
]

/** The guards of one source. */
const found = (file: string, ...rows: readonly SeedRow[]): readonly Guard[] =>
  rows.map(([name, guard, without, seed, invariant, given = options]) => {
    const judge: SeedJudge = { by: 'seed', seed, options: given, invariant }
    return { name: `under a storm ${name}`, file, guard, without, judge }
  })

export const storm: readonly Guard[] = [
  ...found('runtime/store/group-commit.ts',
    [
      'a write is answered when it is durable', 'await this.#options.persist(current.changes)',
      'void this.#options.persist(current.changes).catch(() => {})', 4, 'revisions-grow',
    ],
    [
      'a write that found no room is not acknowledged',
      '          this.#giveUp(error, current)\n          continue\n        }\n'
      + '        this.#stop(failure(error), current)\n        break\n',
      '        } else {\n          this.#stop(failure(error), current)\n          break\n        }\n',
      227, 'revisions-grow', longer,
    ],
    [
      'a store stops when it does not know what is on its disk',
      '        this.#stop(failure(error), current)\n        break\n', '', 15, 'revisions-grow', longer,
    ],
    [
      'a transaction is answered when it is durable',
      '    await this.#commit(change)\n    return { succeeded: true, revision }',
      '    void this.#commit(change).catch(() => {})\n    return { succeeded: true, revision }',
      1, 'revoked-session',
    ],
    [
      'a transaction compares',
      'if (!compare.every(({ key, modRevision }) => (staged.entry(key)?.modRevision ?? 0) === modRevision)) {',
      'if (compare.length > 1_000) {', 1, 'matrix',
    ],
    [
      'a watch goes on where it stopped', 'return history.since(after)',
      'return history.since(Math.max(0, after - 20))', 1, 'watch-order',
    ],
  ),
  ...found('runtime/store/watchers.ts',
    [
      'a watch leaves nothing out', 'if (change.revision > after) queue.push(events)',
      'if (change.revision > after && change.revision % 7 !== 0) queue.push(events)', 1, 'watch-order',
    ],
    [
      'a watch repeats in order', 'queue.replay(past().flatMap((change) => within(prefix, eventsOf(change))))',
      'queue.replay([...past()].reverse().flatMap((change) => within(prefix, eventsOf(change))))', 4, 'watch-order',
    ],
  ),
  ...found('runtime/trust/verify.ts',
    [
      'the signature of a token is checked',
      'if (!verifier.verify(opened.signingInput, opened.signature)) return', 'if (false) return', 4, 'matrix',
    ],
    [
      'a rule names the keys that may sign for it',
      'rule.keyReasons.some((pattern) => reasonMatches(pattern, key))', 'rule.keyReasons.length > 0',
      1, 'matrix', longer,
    ],
    ['a token is of the key’s issuer', 'if (key.issuer !== claims.iss) return', 'if (false) return', 6, 'matrix'],
    ['a token is of this epoch', 'if (claims.epoch !== policy.epoch) return', 'if (false) return', 13, 'matrix'],
    ['an expired token is over', 'if (claims.exp <= now) {', 'if (false) {', 40, 'matrix', longer],
    ['a token is not from the future', 'if (skewSeconds > SKEW_SECONDS_MAX) {', 'if (false) {', 1, 'matrix'],
    [
      'a token is for its verifier', 'return (!rule.audience && !rule.audienceAlone) || aud.includes(audience)',
      'return true', 4, 'matrix',
    ],
    [
      'a root token is for one verifier', 'if (rule.audienceAlone && aud.length !== 1) return false', '', 4, 'matrix',
    ],
    [
      'a token does not live too long', 'exp > iat && exp - iat <= lifetimeSecondsMax', 'lifetimeSecondsMax > 0',
      1, 'matrix',
    ],
    [
      'a rule names its subjects', "rule.subject === 'issuer' ? sub === iss : rule.subject.is.includes(sub)", 'true',
      13, 'matrix',
    ],
  ),
  ...found('actors/system-config/sessions.ts',
    [
      'a root token is burned', 'again ? Promise.resolve(true) : burn(store, id, expSeconds, nowSeconds)',
      'again || store !== undefined ? Promise.resolve(true) : burn(store, id, expSeconds, nowSeconds)', 1, 'matrix',
    ],
    [
      'a relayed root token is good for one call',
      'if (!isForOneCall(session, relayed)) remember(sessions, token, session)',
      "if (session.use !== 'sudo') remember(sessions, token, session)",
      1, 'matrix',
    ],
    [
      'a sudo token is good for one call', "once && (relayed || use === 'sudo')", "once && relayed && use !== 'sudo'",
      1, 'sudo',
    ],
    [
      'a token of a session that ended is refused', 'isRevoked: revocations.has,', 'isRevoked: () => false,',
      1, 'revoked-session',
    ],
    [
      'what a link remembers of a token ends with its session', ' && (sid === undefined || !revocations.has(sid))', '',
      1, 'revoked-session',
    ],
  ),
  ...found('actors/system-config/transaction.ts',
    [
      'a transaction is one commit', 'const result = await records.commit(guards, writes, joined)',
      'if (writes.length === 2) await records.commit([], writes.slice(0, 1))\n'
      + '    const result = await records.commit([], writes.slice(writes.length === 2 ? 1 : 0), joined)',
      1, 'transaction-whole',
    ],
  ),
  ...found('actors/system-config/permission.ts',
    [
      'a session writes no boot/config',
      "    demand(session, 'write', key)\n"
      + "    if (needsSignature(key)) throw refuse(session, 'rbac/signed-only', `write ${key}`)\n", '',
      6, 'boot-config',
    ],
  ),
  ...found('actors/rbac/base.ts',
    [
      'no session writes what needs sudo',
      "  'users/*/doc', 'users/*/settings', 'users/*/key_settings', 'users/*/key_settings/*',\n",
      "  'users/*/doc', 'users/*/settings',\n", 1, 'sudo',
    ],
  ),
  ...found('actors/enforcement/enforcer.ts',
    [
      'a verdict that is kept ends with its session',
      "if (sid !== undefined && lease.isRevoked(sid)) throw refuse('token/revoked', kept",
      "if (sid === '') throw refuse('token/revoked', kept", 1, 'revoked-session',
    ],
    [
      'a service refuses a session that ended', 'isRevoked: lease.isRevoked, trustKey,\n',
      'isRevoked: () => false, trustKey,\n', 1, 'revoked-session',
    ],
  ),
  ...found('actors/system-config/phase.ts',
    [
      'boot phase ends with boot/config', "    phase = 'normal'\n", "    phase = first ? 'normal' : 'boot'\n",
      1, 'matrix',
    ],
  ),
  ...found('actors/verify-hub/check.ts',
    ['a session that ended is dead', "if (found?.session.state !== 'live') {", 'if (!found) {', 1, 'revoked-session'],
  ),
  ...found('actors/verify-hub/refresh.ts',
    [
      'a session that ended is not refreshed', "if (found?.session.state !== 'live') throw", 'if (!found) throw',
      1, 'revoked-session',
    ],
    ['a logout ends its session', "await hub.endings.end([sid], 'logged out')", '', 1, 'revoked-session'],
  ),
  ...found('actors/vault/barrier.ts',
    [
      'what the vault keeps is sealed', 'all.map(operationOf)\n',
      'all.flatMap((each): Operation[] => [operationOf(each), {\n'
      + "        type: 'put', key: `core/${each.path}`, value: new TextEncoder().encode(JSON.stringify(each.value)),\n"
      + '      }])\n', 1, 'no-secret-in-clear',
    ],
  ),
  ...found('boot/init.ts',
    [
      'a key file is for its owner alone',
      'await files.create(name, new TextEncoder().encode(text), { mode: 0o600 })',
      'await files.create(name, new TextEncoder().encode(text), { mode: 0o644 })', 1, 'no-secret-in-clear',
    ],
  ),
  ...found('runtime/supervisor.ts',
    [
      'what needs an actor goes with it',
      'for (const name of withDependents(this.#graph(), served)) this.#life(name).lostNeed()', '', 12, 'needs-first',
    ],
  ),
  ...found('runtime/introduce.ts',
    [
      'an incarnation has a number of its own',
      'Math.max((incarnations.get(name) ?? 0) + 1, Math.floor(clock.now()))',
      'incarnations.get(name) ?? Math.floor(clock.now())', 1, 'one-incarnation',
    ],
  ),
  ...found('runtime/restart.ts',
    [
      'an actor is not given up early', 'if (this.#times.length >= limits.restarts) return undefined',
      'if (this.#times.length >= 1) return undefined', 2, 'restart-limit',
    ],
  ),
]
