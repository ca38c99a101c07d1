/** What ends a session ends it for all who accept its tokens, before anybody is answered that it has ended. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Unavailable } from '../../runtime/errors.ts'
import { people } from './accounts-fixture.ts'
import { gateway } from './verify-hub-zone.ts'

test('who revokes by OAuth is answered when everybody knows that the session has ended', async () => {
  const { zone, hub, login } = await people()
  const told: string[] = []
  let away = false
  zone.kv.revoke = async ({ sessions }) => {
    if (away) throw new Unavailable('Nobody can be told')
    told.push(...sessions.map(({ sid }) => sid))
  }
  const revoke = async (token: string): Promise<number> => (await hub.handlers.http({
    method: 'POST', path: '/oauth/revoke', origin: 'http://127.0.0.1:1',
    body: new URLSearchParams({ token }).toString(),
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
  }, hub.as(gateway))).status
  const [one, two] = [await login('alice'), await login('bob')]
  assert.equal([await revoke(one.refresh_token), told], [200, [one.sid]])
  assert.equal([await revoke(two.session_token), told], [200, [one.sid, two.sid]])
  const three = await login('bob')
  away = true
  assert.is(await revoke(three.session_token), 503, 'it is to be asked for again')
  away = false
  assert.equal([await revoke(three.session_token), told.at(-1)], [200, three.sid])
})

test.run()
