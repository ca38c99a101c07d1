/**
 * Every verifier of a real zone, asked over a link or by HTTP with one token of each use: what it takes is what DESIGN
 * §7 says, written here once more by hand. All keys are the zone's own, so that only the matrix can refuse.
 */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Service } from '../actors/service/protocol.ts'
import { SystemConfig } from '../actors/system-config/protocol.ts'
import { Vault } from '../actors/vault/protocol.ts'
import { VerifyHub } from '../actors/verify-hub/protocol.ts'
import { ZonewrightError } from '../runtime/errors.ts'
import type { SigningKey } from '../runtime/platform/ports.ts'
import { systemRandom } from '../runtime/platform/random.ts'
import { peer, testZone } from './actors/system-config-zone.ts'
import { knownZone, type KnownZone } from './known-zone.ts'

const live = suite('the matrix on a real zone')

let known: KnownZone
let person: SigningKey

live.before(async () => {
  known = await knownZone()
  person = known.platform.keys.generate(systemRandom)
  const { username } = known.user
  const { client } = await known.scene.connect(SystemConfig)
  await client.execTx({ actions: { [`users/${username}/doc`]: {
    action: 'create',
    value: JSON.stringify({ name: username, key: person.public.jwk, iat: known.nowSeconds() }),
  } } }, { token: tokens.root('system-config') })
})
live.after(() => known?.remove())

/** One of each use, as its own signer makes it, for this audience; two are sessions that nobody logged in to. */
const tokens = {
  boot: (aud: string) => known.sign(known.keys.device, 'boot', {
    iss: known.zone.config.host, sub: 'scheduler', aud: [aud], appid: 'scheduler', runtime_type: 'kernel-service',
  }),
  root: (aud: string) => known.sign(known.keys.owner, 'root', { iss: 'root', sub: 'root', aud: [aud] }),
  login: (aud: string) => known.sign(known.keys.device, 'login', {
    iss: known.zone.config.host, sub: known.zone.config.host, aud: [aud], appid: 'service', runtime_type: 'service',
  }),
  session: (aud: string, beside?: string) => known.sign(known.keys.verifyHub, 'session', {
    iss: 'verify-hub', sub: known.user.username, aud: [aud, ...(beside === undefined ? [] : [beside])],
    sid: `matrix-${aud}`,
  }),
  'session of the device': (aud: string) => known.sign(known.keys.device, 'session', {
    iss: known.zone.config.host, sub: known.zone.config.host, aud: [aud], appid: 'node-daemon', runtime_type: 'ood',
  }),
  'session of verify-hub': (aud: string) => known.sign(known.keys.verifyHub, 'session', {
    iss: 'verify-hub', sub: 'verify-hub', aud: [aud], appid: 'verify-hub', runtime_type: 'kernel-service',
  }),
  refresh: (aud: string) => known.sign(known.keys.verifyHub, 'refresh', {
    iss: 'verify-hub', sub: known.user.username, aud: [aud], sid: `matrix-${aud}`,
  }),
  sudo: (aud: string) => known.sign(person, 'sudo', { iss: known.user.username, sub: known.user.username, aud: [aud] }),
} as const

type Use = keyof typeof tokens
const uses = Object.keys(tokens) as Use[]

/** '' when the token counts: what its principal may do then is the policy's, and no matter of the matrix. */
const verdictOf = (reason: string): string => (/^(rbac|sudo)\//.test(reason) ? '' : reason)

async function overLink(call: () => Promise<unknown>): Promise<string> {
  try {
    await call()
    return ''
  } catch (error) {
    if (!(error instanceof ZonewrightError)) throw error
    if (error.code !== 'Denied') throw new Error(`${error.code}: ${error.message}`)
    return verdictOf(String(error.details['reason']))
  }
}

const byHttp = async (service: string, method: string, params: object, token?: string): Promise<string> => {
  const { code, reason } = await known.refusal(service, method, params, token)
  if (!['', 'Denied'].includes(code)) throw new Error(code)
  return verdictOf(reason)
}

type Row = Readonly<Record<Use, string>>
const row = (
  boot: string, root: string, login: string, session: string, device: string, hub: string, refresh: string,
  sudo: string,
): Row => ({
  boot, root, login, session, 'session of the device': device, 'session of verify-hub': hub, refresh, sudo,
})
const none = 'token/use'
const key = 'token/unknown-key'

interface Verifier {
  readonly name: string
  readonly audience: string
  /** Another audience of a session that is to get anywhere. */
  readonly beside?: string
  readonly show: (token: string) => Promise<string>
  /** '' where it is let in, else why not. */
  readonly expected: Row
}

const verifiers: readonly Verifier[] = [
  {
    name: 'system-config, over a link', audience: 'system-config',
    show: async (token) => {
      const { client } = await known.scene.connect(SystemConfig)
      return overLink(() => client.get({ key: 'boot/config' }, { token }))
    },
    expected: row(none, '', none, '', '', '', none, ''),
  },
  {
    name: 'system-config, by HTTP', audience: 'system-config',
    show: (token) => byHttp('system_config', 'sys_config_get', { key: 'boot/config' }, token),
    expected: row(none, '', none, '', '', '', none, ''),
  },
  {
    name: 'a service, over a link', audience: 'service',
    show: async (token) => {
      const { client } = await known.scene.connect(Service)
      return overLink(() => client.greet({ greeting: 'Hello' }, { token }))
    },
    expected: row(none, '', none, '', key, 'token/subject', none, ''),
  },
  {
    name: 'the scheduler, a kernel service, by HTTP', audience: 'scheduler',
    show: (token) => byHttp('scheduler', 'run_thunk', {}, token),
    expected: row(none, '', none, '', key, 'token/subject', none, ''),
  },
  {
    // It asks system-config what the session's user may do, with that very session
    name: 'the node daemon, a node, by HTTP', audience: 'node-daemon', beside: 'system-config',
    show: (token) => byHttp('node-daemon', 'ps', {}, token),
    expected: row(none, '', none, '', key, 'token/subject', none, none),
  },
  {
    name: 'verify-hub, a login, over a link', audience: 'verify-hub',
    show: async (jwt) => {
      const { client } = await known.scene.connect(VerifyHub)
      return overLink(async () => known.scene.keep(await client.loginByJwt({ jwt })))
    },
    expected: row(none, none, '', none, none, none, none, none),
  },
  {
    // One that verify-hub did not make is of no session that lives: that is asked last, when the token was good
    name: 'verify-hub, a refresh, over a link', audience: 'verify-hub',
    show: async (refreshToken) => {
      const { client } = await known.scene.connect(VerifyHub)
      return overLink(() => client.refreshToken({ refreshToken }))
    },
    expected: row(none, none, none, none, none, none, 'token/revoked', none),
  },
  {
    name: 'verify-hub, a refresh, by HTTP', audience: 'verify-hub',
    show: (token) => byHttp('verify-hub', 'refresh_token', { refresh_token: token }),
    expected: row(none, none, none, none, none, none, 'token/revoked', none),
  },
  {
    name: 'verify-hub, a question about a session, over a link', audience: 'service',
    show: async (sessionToken) => {
      const { client } = await known.scene.connect(VerifyHub)
      return overLink(() => client.verifyToken({ sessionToken, audience: 'service' }))
    },
    expected: row(none, none, none, 'token/revoked', key, 'token/subject', none, none),
  },
  {
    name: 'the vault, over a link', audience: 'vault',
    show: (token) => overLink(() => known.zone.get(Vault).status({}, { token })),
    expected: row(...uses.map(() => 'link/takes-no-tokens') as [
      string, string, string, string, string, string, string, string,
    ]),
  },
]

for (const { name, audience, beside, show, expected } of verifiers) {
  live(`${name}: each use as the design says`, async () => {
    const seen: Partial<Record<Use, string>> = {}
    for (const use of uses) seen[use] = await show(tokens[use](audience, beside))
    known.scene.hangUp()
    assert.equal(seen, expected)
  })

  live(`${name}: whatever is let in names it, and no other verifier`, async () => {
    for (const use of uses) {
      const told = await show(tokens[use](audience === 'service' ? 'notes' : 'service'))
      assert.ok(told !== '', use)
      if (expected[use] === '') assert.is(told, 'token/audience', use)
    }
    known.scene.hangUp()
  })
}

live('a token that is good once is good once at each verifier that takes it', async () => {
  for (const { name, audience, show, expected } of verifiers) for (const use of ['root', 'sudo', 'login'] as const) {
    if (expected[use] !== '') continue
    const token = tokens[use](audience)
    assert.is(await show(token), '', `${name}: ${use}`)
    // A login is repeated by who made it and has not had the answer
    const again = use === 'login' ? '' : 'token/replayed'
    assert.is(await show(token), again, `${name}: ${use}, again`)
    known.scene.hangUp()
  }
})

live('system-config in boot phase takes the boot token and the session of its own device alone', async () => {
  const zone = testZone()
  const running = await zone.start()
  const hub = { iss: 'verify-hub', sub: 'alice', runtime_type: 'user', sid: 's' } as const
  const ask = (token: string): Promise<string> => overLink(() => running.as(token, peer('supervisor', {
    runtimeType: 'ood',
  })).get({ key: 'boot/config' }))
  const seen: Row = {
    boot: await ask(zone.tokens.boot()),
    root: await ask(zone.tokens.root()),
    login: await ask(zone.tokens.device({ token_use: 'login' })),
    session: await ask(zone.tokens.session('service', hub)),
    'session of the device': await ask(zone.tokens.device()),
    'session of verify-hub': await ask(zone.tokens.verifyHub()),
    refresh: await ask(zone.tokens.verifyHub({ token_use: 'refresh' })),
    sudo: await ask(zone.tokens.device({
      token_use: 'sudo', iss: 'alice', sub: 'alice', exp: Math.floor(zone.now / 1000) + 180,
    })),
  }
  assert.equal(seen, row('', none, none, key, '', key, none, none))
})

live.run()
