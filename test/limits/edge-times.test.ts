import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { limits } from '../../runtime/limits.ts'
import { systemClock as clock } from '../../runtime/platform/clock.ts'
import { pause } from '../../runtime/within.ts'
import { ask, openEdge, TUNNEL } from '../edge-fixture.ts'

test('a connection has so long for its first request, and so long for all; what was handed over goes on', async () => {
  const edge = await openEdge()
  try {
    const began = clock.monotonic()
    const ended = new Map<string, number>()
    const silent = await edge.raw()
    const shaken = await edge.tls()
    const certified = await edge.tls({ certified: true })
    const without = await edge.tls({ alpn: TUNNEL })
    const asking = await edge.tls()
    const tunnel = await edge.tls({ certified: true, alpn: TUNNEL })
    const all = { silent, shaken, certified, without, asking, tunnel }
    for (const [name, socket] of Object.entries(all)) {
      socket.on('close', () => ended.set(name, clock.monotonic() - began)).resume()
    }
    for (let count = 0; !asking.destroyed && count < 23; count++) {
      await ask(asking)
      await pause(clock, 1_000)
    }
    for (const name of ['silent', 'shaken', 'certified', 'without']) {
      const ms = ended.get(name) ?? 0
      assert.ok(ms > limits.edgeFirstMs - 200 && ms < limits.edgeFirstMs + 4_000, `${name}: ${ms} ms`)
    }
    const ms = ended.get('asking') ?? 0
    assert.ok(ms >= limits.edgeLifeMs - 1_500 && ms < limits.edgeLifeMs + limits.edgeFirstMs + 3_000, `${ms} ms`)
    assert.not(ended.has('tunnel'))
  } finally {
    await edge.close()
  }
})

test.run()
