/** The attack table over HTTP, at every door of a real zone that takes a token. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { limits } from '../runtime/limits.ts'
import type { DenialReason } from '../runtime/trust/denial.ts'
import { attacksOn, type Attack } from './attack-table.ts'
import { claimsOf, knownZone, type KnownZone, type Refused } from './known-zone.ts'

const doors = suite('attacks by HTTP')

let known: KnownZone

doors.before(async () => {
  known = await knownZone()
})
doors.after(() => known?.remove())

interface Door {
  readonly name: string
  /** Where keys are looked up by kid and issuer at once, another issuer is an unknown key. */
  readonly byIssuer?: true
  /** The gateway itself refuses whatever is bound to a key, since nobody shows one by HTTP. */
  readonly shownByGateway?: true
  readonly show: (token: string) => Promise<Refused>
}

const attacked = (): string => `users/${known.user.username}/attacked`

/** Where the token says who calls. */
const calls: readonly Door[] = [
  {
    name: 'system_config', shownByGateway: true,
    show: (token) => known.refusal('system_config', 'sys_config_get', { key: 'boot/config' }, token),
  },
  {
    name: 'system_config, a write', shownByGateway: true,
    show: (token) => known.refusal('system_config', 'sys_config_set', { key: attacked(), value: '1' }, token),
  },
  {
    name: 'scheduler', byIssuer: true, shownByGateway: true,
    show: (token) => known.refusal('scheduler', 'run_thunk', {}, token),
  },
  {
    name: 'node-daemon', byIssuer: true, shownByGateway: true,
    show: (token) => known.refusal('node-daemon', 'ps', {}, token),
  },
]

/** Where the token is what is asked about. */
const questions: readonly Door[] = [
  {
    name: 'verify_token', byIssuer: true,
    show: (token) => known.refusal('verify-hub', 'verify_token', { session_token: token, appid: 'console' }),
  },
]

/** A session of the command line that verify-hub itself knows: only then is a changed copy refused for the change. */
const table = (): readonly Attack[] => attacksOn({
  key: known.keys.verifyHub, stranger: known.keys.stranger, tokenCharactersMax: limits.token,
  claims: claimsOf(known.pair.session_token),
})

type Lookup = Pick<Door, 'byIssuer' | 'shownByGateway'>

const expectedAt = ({ byIssuer, shownByGateway }: Lookup, { name, reason }: Attack): DenialReason => {
  if (byIssuer && reason === 'token/issuer') return 'token/unknown-key'
  return shownByGateway && name.startsWith('cnf ') ? 'token/holder' : reason
}

doors('the session whose copies are changed is let in everywhere', async () => {
  for (const door of [...calls, ...questions]) {
    const { code, reason } = await door.show(known.pair.session_token)
    assert.is(`${code} ${reason}`, ' ', door.name)
  }
  await known.client('system_config', known.pair.session_token).call('sys_config_delete', { key: attacked() })
})

/** What is let in, or refused for another reason than the table has. */
async function notRefused(attacks: readonly Attack[], door: Lookup & Pick<Door, 'show'>): Promise<readonly string[]> {
  const wrong: string[] = []
  for (const attack of attacks) {
    const { code, reason } = await door.show(attack.token)
    const expected = expectedAt(door, attack)
    if (code !== 'Denied' || reason !== expected) {
      wrong.push(`${attack.name}: ${code || 'let in'} ${reason}, not ${expected}`)
    }
  }
  return wrong
}

for (const door of calls.concat(questions)) {
  doors(`nothing of the table gets in at ${door.name}, and each is told why`, async () => {
    assert.equal(await notRefused(table(), door), [])
    assert.ok(table().length > 240)
  })
}

/** Each takes one use, by a method of its own. */
const otherUses = {
  refresh_token: (token: string) => known.refusal('verify-hub', 'refresh_token', { refresh_token: token }),
  logout: (token: string) => known.refusal('verify-hub', 'logout', { refresh_token: token }),
  login_by_jwt: (token: string) => known.refusal('verify-hub', 'login_by_jwt', { jwt: token }),
} as const

const asRefresh = (): readonly Attack[] => attacksOn({
  key: known.keys.verifyHub, stranger: known.keys.stranger, tokenCharactersMax: limits.token,
  claims: claimsOf(known.pair.refresh_token),
}).filter(({ name }) => !/live a year|refresh|typ "zw-session/.test(name))

for (const method of ['refresh_token', 'logout'] as const) {
  doors(`nothing of the table gets in at ${method}`, async () => {
    assert.equal(await notRefused(asRefresh(), { byIssuer: true, show: otherUses[method] }), [])
  })
}

doors('nothing of the table gets in as a login by a device', async () => {
  const { device, stranger } = known.keys
  const { host } = known.zone.config
  const iat = known.nowSeconds()
  const attacks = attacksOn({
    key: device, stranger, tokenCharactersMax: limits.token,
    claims: {
      ...claimsOf(known.sign(device, 'login', { iss: host, sub: host, aud: ['verify-hub'] })), iat, appid: 'service',
      runtime_type: 'service',
    },
  })
  // A login has no session yet
  const some = attacks.filter(({ reason }) => reason !== 'token/session')
  assert.equal(await notRefused(some, { byIssuer: true, show: otherUses.login_by_jwt }), [])
})

doors('who has a wrong clock is told by how much', async () => {
  const { verifyHub } = known.keys
  const claims = claimsOf(known.pair.session_token)
  const ask = (iat: number, exp: number) =>
    calls[0]!.show(known.sign(verifyHub, 'session', { ...claims, iat, exp }))
  const near = (value: unknown, seconds: number): boolean => Math.abs(Number(value) - seconds) <= 5
  const ahead = await ask(known.nowSeconds() + 600, known.nowSeconds() + 900)
  assert.is(ahead.reason, 'token/not-yet-valid')
  assert.ok(near(ahead.details['skewSeconds'], 600), JSON.stringify(ahead.details))
  const behind = await ask(known.nowSeconds() - 600, known.nowSeconds() - 300)
  assert.is(behind.reason, 'token/expired')
  assert.ok(near(behind.details['issuedAgoSeconds'], 600), JSON.stringify(behind.details))
  assert.ok(near(behind.details['expiredAgoSeconds'], 300), JSON.stringify(behind.details))
})

doors('a policy with a mistake in it is refused whole, and the old one stays', async () => {
  const { owner, verifyHub } = known.keys
  const root = () => known.sign(owner, 'root', { iss: 'root', sub: 'root', aud: ['system-config'] })
  const key = 'system/rbac/policy'
  const read = async () =>
    (await known.client('system_config', root()).call('sys_config_get', { key })) as { value: string; version: number }
  const before = await read()
  const mistakes = [
    'p, admin', 'q, a, b, c', 'p, admin, users/*', 'p, admin, users/*, fly', 'g, alice', 'p, admin, ../boot, read',
    'p, admin, users//x, read', 'g, su_alice', '{"p":1}', 'p,,,', 'p, admin, users/*, read, maybe',
  ]
  for (const mistake of mistakes) {
    const value = `${before.value}\n${mistake}\ng, mallory, admin\n`
    const refused = await known.refusal('system_config', 'sys_config_exec_tx', {
      actions: { [key]: { action: 'update', value }, 'zone/attacked': { action: 'create', value: '1' } },
    }, root())
    assert.match(refused.code, /^(InvalidArgument|Policy\w*|Rbac\w*)$/, mistake)
  }
  assert.equal(await read(), before)
  assert.is(await known.client('system_config', root()).call('sys_config_get', { key: 'zone/attacked' }), null)
  const mallory = known.sign(verifyHub, 'session', {
    iss: 'verify-hub', sub: 'mallory', aud: ['console', 'system-config'], sid: 'mallory',
  })
  assert.is((await known.refusal('system_config', 'sys_config_get', { key: 'users/mallory/x' }, mallory)).reason,
    'rbac/no-rule')
  assert.is((await calls[0]!.show(known.pair.session_token)).code, '', 'who could, still can')
})

doors('afterwards the session is as good as before, and nothing was written', async () => {
  assert.is((await calls[0]!.show(known.pair.session_token)).code, '')
  const config = known.client('system_config', known.pair.session_token)
  assert.is(await config.call('sys_config_get', { key: attacked() }), null)
  assert.equal(known.zone.list().filter(({ state }) => state === 'failed'), [])
})

doors.run()
