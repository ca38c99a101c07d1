/**
 * casbin, as it comes, is the oracle: the same lines, the zone's model, casbin's own roles, and a `zonePath` that is
 * written here a second time. What the index decides, and what casbin behind our own roles does, must be the same.
 */
import { Enforcer, newModelFromString, StringAdapter } from 'casbin'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createAccess, type Speaker } from '../../actors/rbac/access.ts'
import { appLines, subjectLines } from '../../actors/rbac/base.ts'
import { casbinEngine } from '../../actors/rbac/casbin-engine.ts'
import { Grants, judge } from '../../actors/rbac/judge.ts'
import { builtInModel, parseModel } from '../../actors/rbac/model.ts'
import { segmentsOf } from '../../actors/rbac/path.ts'
import { parsePolicy } from '../../actors/rbac/policy.ts'

const MODELS = 75
const REQUESTS = 80

/** Park and Miller's: the same in every run. */
let seed = 77_003
const below = (count: number): number => (seed = (seed * 48_271) % 2_147_483_647) % count
const one = <T>(of: readonly T[]): T => of[below(of.length)]!
const some = <T>(count: number, make: () => T): T[] => Array.from({ length: below(count) + 1 }, make)

const users = ['alice', 'bob', 'carol', 'dave']
const apps = ['panel', 'notes', 'desk']
const roles = ['reader', 'writer', 'editor', 'keeper', 'guest']
const names = ['alice', 'bob', 'ood1', 'notes', 'doc', 'settings', 'key_settings', 'x', 'info']
const tops = ['users', 'services', 'zone', 'system', 'security', 'boot', 'devices', 'nodes', 'auth://sessions', 'x://a']

const pattern = (): string => {
  const top = one([...tops, '*', '{who}'])
  const rest = some(3, () => one([...names, ...names, '*', '*', '{user}', '{app}']))
  return `${top.includes('://') || below(3) > 0 ? '' : 'kv://'}${[top, ...rest].join('/')}`
}
const anyPath = (): string => {
  const parts = [one(tops), ...some(4, () => one(names))].slice(0, below(5) + 1)
  return `${parts.join('/')}${below(4) === 0 ? '/' : ''}`
}

interface Request {
  readonly speaker: Speaker
  readonly act: 'read' | 'write'
  readonly object: string
}

/** Any; or one that a line is about, if only its holder were who asks. */
function requestOf(lines: readonly string[]): Request {
  const [act, line] = [one(['read', 'write'] as const), one(lines)]
  if (below(4) === 0 || !line.startsWith('p')) return { speaker: one(speakers), act, object: anyPath() }
  const [, holder = '', wanted = ''] = line.split(', ')
  const likely = speakers.filter(({ sub, sudo, appid }) =>
    sub === holder || appid === holder || (sudo && appid === 'panel' && (holder === `su_${sub}` || /^su/.test(holder))))
  const speaker = one(likely.length > 0 && below(4) > 0 ? likely : byPanel)
  const whole = wanted.replace(/\{\w+\}/g, () => (below(3) > 0 ? speaker.sub : one(users)))
    .replace(/\*/g, () => one(names))
  return { speaker, act, object: below(6) === 0 ? whole.replace(/[^/]*$/, '') : whole }
}

const policyLines = (): string[] => {
  const holders = [...users, ...apps, ...roles, ...users.map((name) => `su_${name}`), 'user', 'admin', 'app', 'console']
  return [
    // One app that nothing stops, so that it is for the subjects' lines to decide
    'p, panel, *, read|write', 'p, panel, auth://*, read|write', 'p, panel, x://*, read|write',
    ...apps.map((app) => `g, ${app}, ${one(['app', 'console', 'reader'])}`),
    ...users.flatMap((user) => [`g, ${user}, ${one(['user', 'admin', 'guest'])}`, `g, su_${user}, sudo`]),
    ...some(2, () => `g, su_${one(users)}, su_admin`),
    ...some(4, () => `g, ${one([...users, ...apps])}, ${one(roles)}`),
    ...some(4, () => `g, ${one(roles)}, ${one(roles)}`),
    ...some(24, () => {
      const effect = one(['', ', allow', ', deny'])
      return `p, ${one(holders)}, ${pattern()}, ${one(['read', 'write', 'read|write'])}${effect}`
    }),
  ]
}

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
const splitAt = (text: string): readonly [scheme: string, rest: string] =>
  [/^[a-z]+:\/\//.exec(text)?.[0] ?? 'kv://', text.replace(/^[a-z]+:\/\//, '')]

/** By regular expressions, where the product walks segments. */
function secondZonePath(object: string, wanted: string, sub: string, effect: string): boolean {
  const [[scheme, rest], [ofScheme, of]] = [splitAt(object), splitAt(wanted)]
  if (scheme !== ofScheme) return false
  const caller = escaped(sub.replace(/^su_/, ''))
  const parts = of.split('/').map((part) =>
    (part === '*' ? '[^/]+' : part.startsWith('{') ? caller : escaped(part)))
  if (of === '*' || of.endsWith('/*')) parts[parts.length - 1] = '.*'
  if (new RegExp(`^${parts.join('/')}$`).test(rest)) return true
  if (effect !== 'deny' || !(rest === '' || rest.endsWith('/'))) return false
  // A folder is denied by what is denied of anything in it
  const depth = rest.split('/').length - 1
  return parts.length > depth && new RegExp(`^${parts.slice(0, depth).map((part) => `${part}/`).join('')}$`).test(rest)
}

async function casbinOf(lines: string): Promise<Enforcer> {
  const enforcer = new Enforcer()
  await enforcer.initWithModelAndAdapter(newModelFromString(builtInModel), new StringAdapter(lines))
  await enforcer.addFunction('zonePath', secondZonePath)
  return enforcer
}

/** As casbin's own reader wants it: each line with its effect and its scheme. */
const forCasbin = (text: string): string => text.split('\n').filter((line) => line.trim() !== '').map((line) => {
  const [kind, sub, object, act, effect = 'allow'] = line.split(',').map((field) => field.trim())
  return kind === 'g' ? line : [kind, sub, object, act, effect].join(', ')
}).join('\n')

const rootOnly = (act: string, object: string): boolean =>
  (act === 'read' ? /^(|security(\/.*)?)$/
    : /^(|boot\/(config)?|devices\/([^/]+\/(doc)?)?|security(\/.*)?)$/).test(object)
const sudoOnly = (act: string, object: string): boolean =>
  act === 'write' && (/^users\/([^/]+\/((doc|settings|key_settings)|key_settings\/.*)?)?$/.test(object)
    || /^services\/(verify-hub\/(settings)?)?$/.test(object))

function expected(app: Enforcer, subject: Enforcer, speaker: Speaker, act: string, object: string): boolean {
  const bare = object.replace(/^kv:\/\//, '')
  if (rootOnly(act, bare)) return false
  if (!app.enforceSync(speaker.appid, object, act)) return false
  const ordinary = !sudoOnly(act, bare) && subject.enforceSync(speaker.sub, object, act)
  return ordinary || (speaker.sudo && subject.enforceSync(`su_${speaker.sub}`, object, act))
}

const speakers: readonly Speaker[] = [
  ...users.flatMap((sub) => apps.flatMap((appid) => [false, true].map((sudo): Speaker =>
    ({ sub, appid, runtimeType: 'user', sudo, root: false })))),
  ...[['node-daemon', 'ood'], ['scheduler', 'kernel-service'], ['notes', 'service']].map(([appid, runtimeType]) =>
    ({ sub: 'ood9', appid: appid!, runtimeType: runtimeType!, sudo: false, root: false })),
]

const builtIn = subjectLines.trim().split('\n')
const byPanel = speakers.filter(({ appid }) => appid === 'panel')

test('the index decides as casbin does, for roles, lines that deny, placeholders, folders and schemes', async () => {
  const seen = { allowed: 0, denied: 0, byDenyLine: 0, overruled: 0, bySudo: 0 }
  for (let model = 0; model < MODELS; model++) {
    const given = policyLines()
    const policy = given.join('\n')
    // Mostly about what is drawn: what is built in is the same in every model
    const lines = [...given, ...given, ...builtIn]
    const app = await casbinOf(forCasbin(`${appLines}\n${policy}`))
    const subjects = new Map<string, Enforcer>()
    const subjectOf = async ({ runtimeType }: Speaker): Promise<Enforcer> => {
      const type = runtimeType === 'user' ? '' : `g, ood9, type:${runtimeType}`
      const known = subjects.get(type) ?? await casbinOf(forCasbin(`${subjectLines}\n${policy}\n${type}`))
      subjects.set(type, known)
      return known
    }
    const access = createAccess()
    void access.replace({ model: '', policy })
    const added = parsePolicy(policy)
    const behind = { rules: { model: '', policy }, builtIn: false, added, engine: casbinEngine(parseModel(''), added) }
    for (let request = 0; request < REQUESTS; request++) {
      const { speaker, act, object } = requestOf(lines)
      const wanted = expected(app, await subjectOf(speaker), speaker, act, object)
      const decision = access.decide(speaker, act, object)
      const where = `${JSON.stringify(speaker)} ${act} ${object}\n${policy}`
      assert.is(decision.allowed, wanted, where)
      // Once more, from what is remembered
      assert.is(access.decide(speaker, act, object).allowed, wanted, where)
      const explained = access.explain(speaker, act, object, true)
      assert.is(explained.allowed, wanted, where)
      if (explained.layers.some(({ others = [] }) => others.some(({ why }) => why === 'a line that denies wins'))) {
        seen.overruled++
      }
      if (request % 4 === 0) {
        assert.is(judge(speaker, new Grants(speaker, behind), act, segmentsOf(object)).allowed, wanted, where)
      }
      seen[wanted ? 'allowed' : 'denied']++
      if (decision.chain.at(-1)?.reason === 'rbac/deny-line') seen.byDenyLine++
      if (wanted && decision.chain.at(-1)?.layer === 'sudo') seen.bySudo++
    }
  }
  assert.is(seen.allowed + seen.denied, MODELS * REQUESTS)
  // A generator that makes nothing but refusals would test nothing
  const enough = { allowed: 400, byDenyLine: 50, overruled: 30, bySudo: 30 }
  for (const [what, least] of Object.entries(enough)) {
    assert.ok(seen[what as keyof typeof enough] >= least, JSON.stringify(seen))
  }
})

test.run()
