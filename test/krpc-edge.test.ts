/** The gateway's one link carries everybody's calls: nothing of it may count as a caller's own. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { signToken } from '../runtime/trust/token.ts'
import { inLiveZone } from './actors/live-zone.ts'
import { ask } from './krpc-fixture.ts'

const krpc = suite('kRPC at the edge')

krpc('a token that is bound to a key is refused before any actor sees it: the link is the gateway\'s', async () => {
  await inLiveZone(async (live) => {
    const { keys, clock, random } = live.world.startProcess('elsewhere').platform
    const iat = Math.floor(clock.now() / 1000)
    const key = keys.generate(random)
    const token = signToken(key, {
      iss: 'verify-hub', sub: 'ood1', aud: ['system-config'], iat, exp: iat + 60, jti: 'bound', token_use: 'session',
      appid: 'gateway', runtime_type: 'gateway', cnf: { jkt: key.public.kid }, epoch: 0,
    })
    for (const service of ['system_config', 'scheduler', 'node-daemon']) for (const suffix of ['', '/stream']) {
      const path = `/kapi/${service}${service === 'scheduler' ? '' : suffix}`
      const { body } = await ask(live, path, JSON.stringify({ method: 'any', params: {}, sys: [7, token] }))
      const { code, details } = JSON.parse(String(body)) as { code: string; details: object }
      assert.equal([code, details], ['Denied', { reason: 'token/holder' }], path)
    }
  })
})

krpc.run()
