/** The attack table, and a token of each use, as the session cookie of an app: nobody but a session gets through. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { systemRandom } from '../runtime/platform/random.ts'
import { limits } from '../runtime/limits.ts'
import { signToken, tokenLifetimeSeconds, type TokenClaims, type TokenUse } from '../runtime/trust/token.ts'
import { attacksOn } from './attack-table.ts'
import { knownKeys, variants } from './boot-fixtures/variants.ts'
import { claimsOf, cookieOf, inWebZone, type WebZone } from './web-fixture.ts'

const cookies = suite('attacks by cookie')

const inKnownWebZone = (test: (web: WebZone) => Promise<void>): Promise<void> =>
  inWebZone(test, { vault: variants.vaultMakesAKnownKey.change })

/** Status of the app's page for who brings this cookie, and whether the app heard of it. */
async function visit({ send, port, asked }: WebZone, token: string): Promise<string> {
  const before = asked.length
  const { status } = await send(`web.localhost:${port}`, '/', { headers: { cookie: `zw_session=${token}` } })
  return `${status} ${asked.length > before ? 'asked' : 'not asked'}`
}

/** What no header can carry, or what ends a cookie, is no token by the time that it is read. */
const canBeSent = (token: string): boolean => /^[\x21-\x3a\x3c-\x7e]+$/.test(token)

cookies('nothing of the table gets through to an app', async () => {
  await inKnownWebZone(async (web) => {
    const { keys } = web.live.world.startProcess(web.live.zone.config.host).platform
    const mine = await cookieOf(web)
    assert.is(await visit(web, mine.zw_session), '200 asked')
    const attacks = attacksOn({
      key: knownKeys(keys).generate(systemRandom), stranger: keys.generate(web.live.world.random.fork('stranger')),
      claims: claimsOf(mine.zw_session), tokenCharactersMax: limits.token,
    }).filter(({ token }) => canBeSent(token))
    assert.ok(attacks.length > 230)
    const wrong: string[] = []
    for (const { name, token } of attacks) {
      const seen = await visit(web, token)
      if (!/^(302|400|401|403|431) not asked$/.test(seen)) wrong.push(`${name}: ${seen}`)
    }
    assert.equal(wrong, [])
    assert.is(await visit(web, mine.zw_session), '200 asked', 'and the session is as good as before')
  })
})

cookies('a token of another use, of another app, or by another key is no session of this one', async () => {
  await inKnownWebZone(async (web) => {
    const { live } = web
    const { host } = live.zone.config
    const { keys } = live.world.startProcess(host).platform
    const hub = knownKeys(keys).generate(systemRandom)
    const mine = await cookieOf(web)
    const other = await cookieOf(web, 'notes')
    const base = claimsOf(mine.zw_session)
    const sign = (use: TokenUse, changes: Partial<TokenClaims> = {}, by = hub): string => signToken(by, {
      ...base, token_use: use, exp: base.iat + tokenLifetimeSeconds[use], jti: `cookie-${use}`, ...changes,
    })
    const device = live.zone.identity.device
    const tried: Readonly<Record<string, string>> = {
      'its refresh token': mine.zw_refresh,
      'the session of another app': other.zw_session,
      'boot': sign('boot', { iss: host, sub: 'scheduler', runtime_type: 'kernel-service' }, device),
      'root': sign('root', { iss: 'root', sub: 'root' }, device),
      'login': sign('login', { iss: host, sub: host }, device),
      'refresh': sign('refresh'),
      'sudo': sign('sudo', { iss: base.sub, exp: base.iat + 180 }),
      'a session of the device': sign('session', { iss: host, sub: host, runtime_type: 'ood' }, device),
      'a session of verify-hub': sign('session', { sub: 'verify-hub', runtime_type: 'kernel-service' }),
      'root as a session': sign('session', { sub: 'root' }),
      'a sudo name as a session': sign('session', { sub: `su_${base.sub}` }),
      'a session that was never begun': sign('session', { sid: 'nobody-began-this' }),
    }
    for (const [name, token] of Object.entries(tried)) {
      const seen = await visit(web, token)
      assert.match(seen, /^(302|401|403) not asked$/, `${name}: ${seen}`)
    }
    assert.is(await visit(web, mine.zw_session), '200 asked')
  })
})

cookies.run()
