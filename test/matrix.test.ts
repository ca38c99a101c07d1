import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import {
  linkAllowed, loginTypes, onlyUse, reservedSubjects, rulesFor, type HostRole, type Phase, type Verifier,
} from '../actors/trust-matrix.ts'
import type { Peer } from '../runtime/actor.ts'
import { createCrypto } from '../runtime/platform/crypto.ts'
import { SeededRandom } from '../runtime/sim/random.ts'
import type { DenialReason } from '../runtime/trust/denial.ts'
import { trustKeyOf } from '../runtime/trust/keys.ts'
import { signToken, tokenLifetimeSeconds, type TokenClaims, type TokenUse } from '../runtime/trust/token.ts'
import { verifyToken, type Verdict } from '../runtime/trust/verify.ts'

const keys = await createCrypto()
const random = new SeededRandom('matrix test')
const now = 1_800_000_000

const verifiers: readonly Verifier[] = [
  'system-config', 'verify-hub', 'kernel-service', 'service', 'node', 'gateway', 'vault',
]
const phases: readonly Phase[] = ['boot', 'normal']
const uses: readonly TokenUse[] = ['boot', 'root', 'login', 'session', 'refresh', 'sudo']
const runtimeTypes = ['ood', 'kernel-service', 'node', 'service', 'user', 'client-device', 'gateway'] as const
const subjects = ['root', 'scheduler', 'verify-hub', 'su_alice', 'alice', 'ood1', 'node2'] as const

/** Every key that a zone knows, as a verifier that trusted them all would hold it: only the rules may refuse. */
const issuersOf = {
  env: ['env', 'ood1'],
  'own device': ['devices/ood1/doc', 'ood1'],
  'other device': ['devices/node2/doc', 'node2'],
  root: ['boot-config.root', 'root'],
  'verify-hub': ['boot-config.verify-hub', 'verify-hub'],
  alice: ['users/alice/doc', 'alice'],
  'a user called root': ['users/root/doc', 'root'],
  'a device called verify-hub': ['devices/verify-hub/doc', 'verify-hub'],
} as const
type KeyName = keyof typeof issuersOf
const keyNames = Object.keys(issuersOf) as KeyName[]
const ring = new Map(keyNames.map((name) => {
  const key = keys.generate(random.fork(name))
  const [reason, issuer] = issuersOf[name]
  return [name, { key, trust: trustKeyOf(keys, key.public.jwk, reason, issuer) }]
}))
const byKid = new Map([...ring.values()].map(({ trust }) => [trust.kid, trust]))

/** DESIGN §7, written a second time, by hand: all that gets in. `sid`: with a login session, without, or either. */
const anyone = ['alice', 'ood1', 'node2']
const everyType = [...runtimeTypes]
const accepted: readonly {
  readonly at: readonly Verifier[]; readonly phases: readonly Phase[]; readonly use: TokenUse; readonly key: KeyName
  readonly subs: readonly string[]; readonly types: readonly string[]; readonly sid: boolean | 'either'
}[] = [
  {
    at: ['system-config'], phases: ['boot'], use: 'boot', key: 'env', subs: ['scheduler'], types: ['kernel-service'],
    sid: 'either',
  },
  {
    at: ['system-config'], phases: ['boot', 'normal'], use: 'session', key: 'env', subs: ['ood1'], types: ['ood'],
    sid: 'either',
  },
  {
    at: ['system-config', 'verify-hub', 'kernel-service', 'service', 'node', 'gateway'], phases: ['normal'],
    use: 'session', key: 'verify-hub', subs: anyone, types: everyType, sid: true,
  },
  {
    at: ['system-config'], phases: ['normal'], use: 'session', key: 'verify-hub', subs: ['verify-hub'],
    types: ['kernel-service'], sid: 'either',
  },
  {
    at: ['system-config', 'kernel-service', 'service', 'node'], phases: ['normal'], use: 'root', key: 'root',
    subs: ['root'], types: everyType, sid: 'either',
  },
  {
    at: ['system-config', 'verify-hub', 'kernel-service', 'service'], phases: ['normal'], use: 'sudo', key: 'alice',
    subs: ['alice'], types: ['user'], sid: 'either',
  },
  ...(['own device', 'other device'] as const).map((key) => ({
    at: ['verify-hub'] as const, phases: ['normal'] as const, use: 'login' as const, key, subs: anyone,
    types: everyType, sid: 'either' as const,
  })),
  {
    at: ['verify-hub'], phases: ['normal'], use: 'refresh', key: 'verify-hub', subs: anyone, types: everyType,
    sid: true,
  },
]

interface Draft { use: TokenUse; key: KeyName; sub: string; type: string; sid: boolean }

let jti = 0
function draw({ use, key, sub, type, sid }: Draft, change: Partial<TokenClaims> = {}): string {
  const { key: signer, trust } = ring.get(key)!
  return signToken(signer, {
    iss: trust.issuer, sub, aud: ['target'], iat: now, exp: now + tokenLifetimeSeconds[use], jti: `j-${jti++}`,
    token_use: use, appid: 'app', runtime_type: type, ...(sid ? { sid: 's-1' } : {}), epoch: 0, ...change,
  })
}

const present = (verifier: Verifier, phase: Phase, token: string, burn = async () => true): Promise<Verdict> =>
  verifyToken(token, {
    keys, rules: rulesFor(verifier, phase), audience: 'target', nowSeconds: now, epoch: 0, burn,
    trustKey: (kid) => byKid.get(kid),
  })

const outcome = (verdict: Verdict): DenialReason | 'accepted' => (verdict.accepted ? 'accepted' : verdict.denial.reason)

const cells = suite('matrix')

cells('every combination of verifier, phase and token is accepted exactly where the design says', async () => {
  let total = 0
  let inside = 0
  for (const use of uses) for (const key of keyNames) for (const sub of subjects) for (const type of runtimeTypes) {
    for (const sid of [true, false]) {
      const token = draw({ use, key, sub, type, sid })
      for (const verifier of verifiers) for (const phase of phases) {
        const expected = accepted.some((row) =>
          row.at.includes(verifier) && row.phases.includes(phase) && row.use === use && row.key === key
          && row.subs.includes(sub) && row.types.includes(type) && (row.sid === 'either' || row.sid === sid))
        const verdict = await present(verifier, phase, token)
        const told = `${verifier} ${phase}: ${use} by ${key} for ${sub} (${type}, sid ${sid}): ${outcome(verdict)}`
        assert.is(verdict.accepted, expected, told)
        total++
        if (expected) inside++
      }
    }
  }
  assert.is(total, 6 * 8 * 7 * 7 * 2 * 7 * 2)
  // As the rows multiply by hand: boot, device, session, verify-hub's own, root, sudo, login, refresh
  assert.is(inside, 2 + 2 * 2 + 6 * 3 * 7 + 2 + 4 * 7 * 2 + 4 * 2 + 2 * 3 * 7 * 2 + 3 * 7)
})

/** One draft that each row accepts. */
const drafts = accepted.map((row) => ({
  ...row,
  draft: { use: row.use, key: row.key, sub: row.subs[0]!, type: row.types[0]!, sid: row.sid !== false } as Draft,
}))
const alone: readonly TokenUse[] = ['boot', 'root', 'login', 'refresh', 'sudo']
const single: readonly TokenUse[] = ['root', 'login', 'sudo']

cells('in every accepted cell one wrong claim is refused, each by its own reason', async () => {
  for (const { at, phases: when, use, draft } of drafts) for (const verifier of at) for (const phase of when) {
    const reasonWith = async (change: Partial<TokenClaims>) =>
      outcome(await present(verifier, phase, draw(draft, change)))
    const told = `${verifier} ${phase} ${use}`
    assert.is(await reasonWith({}), 'accepted', told)
    assert.is(await reasonWith({ aud: ['other'] }), 'token/audience', told)
    const withOther = alone.includes(use) ? 'token/audience' : 'accepted'
    assert.is(await reasonWith({ aud: ['target', 'other'] }), withOther, told)
    assert.is(await reasonWith({ epoch: 1 }), 'token/epoch', told)
    assert.is(await reasonWith({ exp: now + tokenLifetimeSeconds[use] + 1 }), 'token/lifetime', told)
    assert.is(await reasonWith({ exp: now, iat: now - 5 }), 'token/expired', told)
    assert.is(await reasonWith({ iss: 'someone' }), 'token/issuer', told)
  }
})

cells('root, login and sudo get in once; the others while they live', async () => {
  for (const { at, phases: when, use, draft } of drafts) {
    const used = new Set<string>()
    const burn = async (id = ''): Promise<boolean> => used.size < used.add(id).size
    const token = draw(draft)
    const first = outcome(await present(at[0]!, when[0]!, token, burn))
    const second = outcome(await present(at[0]!, when[0]!, token, burn))
    assert.equal([first, second], ['accepted', single.includes(use) ? 'token/replayed' : 'accepted'], use)
  }
})

cells('the principal of root, sudo and a self-issued session says no more than it is', async () => {
  const of = async (draft: Draft, verifier: Verifier = 'system-config') => {
    const verdict = await present(verifier, 'normal', draw(draft))
    return verdict.accepted ? verdict.principal : undefined
  }
  assert.equal(await of({ use: 'root', key: 'root', sub: 'root', type: 'user', sid: true }), {
    sub: 'root', appid: 'app', runtimeType: 'user', sudo: false,
  })
  assert.equal(await of({ use: 'sudo', key: 'alice', sub: 'alice', type: 'user', sid: true }), {
    sub: 'alice', appid: 'app', runtimeType: 'user', sudo: true,
  })
  assert.equal(await of({ use: 'session', key: 'verify-hub', sub: 'verify-hub', type: 'kernel-service', sid: true }), {
    sub: 'verify-hub', appid: 'app', runtimeType: 'kernel-service', sudo: false,
  })
  assert.equal(await of({ use: 'session', key: 'verify-hub', sub: 'alice', type: 'user', sid: true }), {
    sub: 'alice', appid: 'app', runtimeType: 'user', sid: 's-1', sudo: false,
  })
})

cells('a method that takes one use takes no other, and verify-hub takes no token of root', async () => {
  const rules = rulesFor('verify-hub', 'normal')
  assert.equal(onlyUse(rules, 'login').map(({ id }) => id), ['verify-hub/normal/login'])
  assert.equal(onlyUse(rules, 'refresh').map(({ id }) => id), ['verify-hub/normal/refresh'])
  assert.equal(onlyUse(rules, 'session', 'sudo').map(({ id }) => id), [
    'verify-hub/normal/session', 'verify-hub/normal/sudo',
  ])
  assert.equal(onlyUse(rules, 'root', 'boot'), [])
})

cells('rule ids are unique and name verifier and phase', () => {
  const ids = verifiers.flatMap((verifier) => phases.flatMap((phase) => rulesFor(verifier, phase).map(({ id }) => id)))
  assert.is(new Set(ids).size, ids.length)
  assert.ok(ids.includes('system-config/boot/bootToken'))
  assert.is(ids.filter((id) => id.includes('/boot/')).length, 2)
})

cells('each role has the login type of the design', () => {
  assert.equal(loginTypes, {
    'system-config': 'none', vault: 'none', ood: 'self', 'verify-hub': 'self', node: 'by-jwt', service: 'by-jwt',
    scheduler: 'by-jwt', gateway: 'by-jwt', 'client-device': 'by-jwt', user: 'by-password', sudo: 'by-jwt',
  })
  for (const name of ['root', 'su_*', 'verify-hub', 'scheduler']) assert.ok(reservedSubjects.includes(name))
})

const links = suite('links')

const roles = new Map<string, HostRole>([['ood1', 'ood'], ['ood2', 'ood'], ['node1', 'node']])
const tryLink = (
  actor: string, runtimeType: string, host: string, callee: string,
  { phase = 'normal' as Phase, zone = 'z', base = 'sealed' as 'mac' | 'sealed' } = {},
): string => {
  const peer: Peer = { zone, host, actor, runtimeType, incarnation: 1, kid: 'k' }
  const self = { zone: 'z', host: 'ood1', actor: callee }
  const verdict = linkAllowed(peer, { self, phase, roleOf: (name) => roles.get(name), base })
  return verdict.allowed ? verdict.minimum : verdict.denial.reason
}

links('each caller reaches what its row says, at the suite that its row asks for', () => {
  const cases: readonly (readonly [string, string, string, string, string])[] = [
    ['verify-hub', 'kernel-service', 'ood1', 'system-config', 'mac'],
    ['verify-hub', 'kernel-service', 'ood2', 'system-config', 'sealed'],
    ['photos', 'service', 'node1', 'system-config', 'sealed'],
    ['photos', 'service', 'node1', 'verify-hub', 'sealed'],
    ['photos', 'service', 'ood1', 'verify-hub', 'mac'],
    ['verify-hub', 'kernel-service', 'ood1', 'vault', 'sealed'],
    ['boot-scheduler', 'kernel-service', 'ood1', 'vault', 'sealed'],
    ['photos', 'service', 'ood1', 'vault', 'link/no-row'],
    ['gateway', 'gateway', 'ood1', 'vault', 'link/no-row'],
    ['supervisor', 'ood', 'ood2', 'vault', 'link/no-row'],
    ['photos', 'service', 'ood1', 'node-daemon', 'mac'],
    ['photos', 'service', 'node1', 'node-daemon', 'link/no-row'],
    ['photos', 'service', 'ood1', 'scheduler', 'link/no-row'],
    ['photos', 'service', 'ood1', 'boot-scheduler', 'link/no-row'],
    ['photos', 'service', 'ood1', 'supervisor', 'link/no-row'],
    ['node-daemon', 'ood', 'ood1', 'supervisor', 'mac'],
    ['node-daemon', 'ood', 'ood2', 'supervisor', 'link/no-row'],
    ['gateway', 'gateway', 'node1', 'photos', 'sealed'],
    ['gateway', 'gateway', 'ood1', 'photos', 'mac'],
  ]
  for (const [actor, type, host, callee, expected] of cases) {
    assert.is(tryLink(actor, type, host, callee), expected, `${actor} on ${host} to ${callee}`)
  }
})

links('a kernel name or runtime type from a host that is no OOD opens nothing', () => {
  for (const actor of ['system-config', 'scheduler', 'boot-scheduler', 'verify-hub', 'vault']) {
    assert.is(tryLink(actor, 'service', 'node1', 'photos'), 'link/kernel-name', actor)
  }
  assert.is(tryLink('photos', 'kernel-service', 'node1', 'system-config'), 'link/kernel-name')
  assert.is(tryLink('node-daemon', 'ood', 'node1', 'system-config'), 'link/kernel-name')
  assert.is(tryLink('node-daemon', 'node', 'node1', 'system-config'), 'sealed')
})

links('a link that is less protected than its row asks for opens nothing', () => {
  const base = 'mac'
  assert.is(tryLink('photos', 'service', 'ood1', 'system-config', { base }), 'mac')
  for (const callee of ['system-config', 'verify-hub', 'photos']) {
    assert.is(tryLink('other', 'service', 'node1', callee, { base }), 'link/suite', callee)
  }
  assert.is(tryLink('verify-hub', 'kernel-service', 'ood1', 'vault', { base }), 'link/suite')
})

links('another zone, and a host without a document, open nothing', () => {
  assert.is(tryLink('verify-hub', 'kernel-service', 'ood1', 'system-config', { zone: 'other' }), 'link/zone')
  assert.is(tryLink('verify-hub', 'kernel-service', 'ghost', 'system-config'), 'link/unknown-host')
  assert.is(tryLink('photos', 'service', 'ghost', 'photos'), 'link/unknown-host')
})

links('before the zone has booted only the boot sequence of the same host links', () => {
  const boot = { phase: 'boot' as Phase }
  assert.is(tryLink('boot-scheduler', 'kernel-service', 'ood1', 'system-config', boot), 'mac')
  assert.is(tryLink('boot-scheduler', 'kernel-service', 'ood1', 'vault', boot), 'sealed')
  assert.is(tryLink('node-daemon', 'ood', 'ood1', 'system-config', boot), 'mac')
  assert.is(tryLink('boot-scheduler', 'kernel-service', 'ood2', 'system-config', boot), 'link/phase')
  assert.is(tryLink('verify-hub', 'kernel-service', 'ood1', 'system-config', boot), 'link/no-row')
  assert.is(tryLink('photos', 'service', 'ood1', 'system-config', boot), 'link/no-row')
  assert.is(tryLink('gateway', 'gateway', 'ood1', 'photos', boot), 'link/no-row')
})

cells.run()
links.run()
