/**
 * Decisions of the access policy with a thousand lines: those that are remembered, and new ones of speakers that are
 * new as well, against casbin's `enforceSync` on the same model and the same lines, in turn. One decision of ours asks
 * twice, for the app and for whom it speaks; one of casbin's asks once.
 */
import { newEnforcer, newModelFromString, StringAdapter } from 'casbin'
import { createAccess, type Speaker } from '../actors/rbac/access.ts'
import { builtInModel } from '../actors/rbac/model.ts'
import { zonePath } from '../actors/rbac/path.ts'
import { interleaved } from './interleaved.ts'
import type { Bench } from './report.ts'

const ROUNDS = 7
const LINES = 1_000
const USERS = 200
const ROLES = 20
const KNOWN_PATHS = 200
/** Decisions between two looks at the clock. */
const CHUNK = 500
const CACHED_MIN = 300_000
const AGAINST_CASBIN = 50

/** As a zone's policy is: roles of people, what roles may do, here and there a line that denies. */
function policyOf(): readonly string[] {
  const given = Array.from({ length: USERS }, (_, user) => `g, user${user}, role${user % ROLES}`)
  const lines = Array.from({ length: LINES - USERS - 1 }, (_, index) => {
    const own = index % 5 === 0 ? '{user}' : `dir${index % 50}`
    const [act, effect] = [index % 3 === 0 ? 'read' : 'read|write', index % 40 === 7 ? 'deny' : 'allow']
    return `p, role${index % ROLES}, kv://zone/area${index % 8}/${own}/*, ${act}, ${effect}`
  })
  return [...given, ...lines, 'p, panel, kv://zone/*, read|write, allow']
}

const speakerOf = (user: number): Speaker =>
  ({ sub: `user${user % USERS}`, appid: 'panel', runtimeType: 'user', sudo: false, root: false })
const pathOf = (index: number): string => `zone/area${index % 8}/dir${index % 50}/key${index}`

/** Runs for a while; a second is how many of them. */
function perSecond(ms: number, decide: (index: number) => void): number {
  const started = performance.now()
  let count = 0
  let elapsed = 0
  for (; elapsed < ms; elapsed = performance.now() - started) {
    for (const end = count + CHUNK; count < end; count++) decide(count)
  }
  return count * 1_000 / elapsed
}

const bench: Bench = async ({ seconds, say }) => {
  const policy = policyOf().join('\n')
  const access = createAccess()
  await access.replace({ model: '', policy })
  const casbin = await newEnforcer(newModelFromString(builtInModel), new StringAdapter(policy))
  await casbin.addFunction('zonePath', zonePath)
  const ms = seconds * 1_000 / ROUNDS
  const users = Array.from({ length: USERS }, (_, user) => speakerOf(user))
  const allowed = users.flatMap((speaker) => Array.from({ length: KNOWN_PATHS }, (_, index) => pathOf(index))
    .filter((path) => access.decide(speaker, 'read', path).allowed).map((path) => ({ speaker, path })))
  let fresh = 0
  let same = 0
  const rates = {
    cached: async () => perSecond(ms, (index) => {
      const { speaker, path } = allowed[index * 7 % allowed.length]!
      access.decide(speaker, 'read', path)
    }),
    knownSpeaker: async () => perSecond(ms, (index) => {
      access.decide(users[index % USERS]!, 'read', pathOf(fresh++))
    }),
    newSpeaker: async () => perSecond(ms, (index) => {
      access.decide(speakerOf(index), 'read', pathOf(fresh++))
    }),
    casbin: async () => {
      const started = performance.now()
      let count = 0
      while (performance.now() - started < ms) {
        const [user, path] = [count % USERS, pathOf(same++)]
        const verdict = casbin.enforceSync(`user${user}`, `kv://${path}`, 'read')
        if (verdict !== access.decide(speakerOf(user), 'read', path).allowed) throw new Error(`Other verdict: ${path}`)
        count++
      }
      return count * 1_000 / (performance.now() - started)
    },
  }
  const { cached, knownSpeaker, newSpeaker, casbin: peer } = await interleaved(ROUNDS, rates)
  say(`${LINES} lines: ${allowed.length} remembered decisions of ${USERS} speakers`)
  const unit = 'decisions/s'
  return [
    { name: `remembered, against ${CACHED_MIN}`, value: cached, unit, ratio: cached / CACHED_MIN, target: 1 },
    { name: 'casbin enforceSync, the subject alone', value: peer, unit },
    { name: 'new path, known speaker, against casbin', value: knownSpeaker, unit, ratio: knownSpeaker / peer },
    {
      name: 'new path and new speaker, against casbin', value: newSpeaker, unit, ratio: newSpeaker / peer,
      target: AGAINST_CASBIN,
    },
  ]
}
export default bench
