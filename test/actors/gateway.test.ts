/** The zone's way in by HTTP while what is behind it comes and goes, in virtual time. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { kv } from '../../actors/records.ts'
import { defaultConfig } from '../../boot/config.ts'
import type { ActorStart } from '../../runtime/actor.ts'
import { Unavailable } from '../../runtime/errors.ts'
import type { HttpResponse } from '../../runtime/platform/ports.ts'
import { type Change, inLiveZone, type LiveZone, failingUnless } from './live-zone.ts'

const test = suite('the gateway')
const node = kv.node(defaultConfig.host)

const ask = ({ zone, world }: LiveZone, path: string, method = 'GET'): Promise<HttpResponse> =>
  world.http(zone.config.host, zone.address.port, {
    method,
    path,
    query: '',
    headers: {},
    body: new Uint8Array(),
    remoteAddress: '127.0.0.1',
  })
const statusOf = async (zone: LiveZone, path: string, method?: string): Promise<number> =>
  (await ask(zone, path, method)).status

test('answers what it routes, and refuses the rest by name', async () => {
  await inLiveZone(async (zone) => {
    const page = await ask(zone, '/')
    assert.is(page.status, 200)
    assert.match(String(page.body), /<title>Zone /)
    assert.is(await statusOf(zone, '/healthz'), 200)
    for (const path of ['/__proto__', '/constructor', '/healthz/', '/%2e%2e/']) {
      assert.is(await statusOf(zone, path), 404, path)
    }
    const refused = await ask(zone, '/', 'POST')
    assert.is(refused.status, 405)
    assert.is(refused.headers['allow'], 'GET, HEAD')
  })
})

test('is back on its port after a death of what it needs', async () => {
  await inLiveZone(async (zone) => {
    for (const name of ['verify-hub', 'node-daemon', 'system-config']) {
      await zone.zone.kill(name)
      await zone.pause(5_000)
      assert.is(await statusOf(zone, '/healthz'), 200, name)
    }
  })
})

test('says that the host is not well while a service that it should run does not', async () => {
  let healthy = true
  const failing = failingUnless(() => healthy)
  await inLiveZone(async (zone) => {
    healthy = false
    await zone.zone.kill('service')
    await zone.pause(3_000)
    assert.is(await statusOf(zone, '/healthz'), 503)
    healthy = true
    await zone.pause(60_000)
    assert.is(await statusOf(zone, '/healthz'), 200)
    await zone.setPath(node, '/services/service/target', 'stopped')
    await zone.pause(1_000)
    assert.is(await statusOf(zone, '/healthz'), 200, 'it is meant to be stopped')
  }, { service: failing })
})

test('answers 503 when what is behind it is away, 500 when it is broken, and its log says which', async () => {
  let fault: Error | undefined
  const behind: Change = (definition) => ({
    ...definition,
    start(start) {
      const nodeDaemon = {
        services: async () => {
          if (fault) throw fault
          return []
        },
        loginToken: (...args: readonly unknown[]) =>
          (start.needs['nodeDaemon'] as unknown as Record<string, (...args: readonly unknown[]) => unknown>)[
            'loginToken'
          ]!(...args),
      }
      return definition.start({ ...start, needs: { ...start.needs, nodeDaemon } as unknown as ActorStart['needs'] })
    },
  })
  await inLiveZone(async (zone) => {
    assert.is(await statusOf(zone, '/healthz'), 200)
    fault = new Unavailable('Away')
    const away = await ask(zone, '/healthz')
    fault = new TypeError('A secret text')
    const broken = await ask(zone, '/healthz')
    assert.is(`${away.status} ${broken.status}`, '503 500')
    assert.is(away.headers['retry-after'], '1')
    assert.not.match(String(broken.body), /secret/)
    const told = zone.logs.filter(({ actor }) => actor === 'gateway').map(({ message }) => message).join('\n')
    assert.is(told, 'GET /healthz failed: Away\nGET /healthz failed: A secret text')
  }, { gateway: behind })
})

test('takes another port when the one it had was taken meanwhile', async () => {
  await inLiveZone(async (zone) => {
    const { port: before } = zone.zone.address
    await zone.zone.kill('gateway')
    const { platform } = zone.world.startProcess(defaultConfig.host)
    const options = { hostname: '127.0.0.1', port: before, bodyBytesMax: 1, requestMsMax: 1 }
    await platform.transport.serveHttp(options, async () => ({ status: 418, headers: {}, body: '' }))
    await zone.pause(5_000)
    assert.is(zone.state('gateway'), 'serving')
    assert.is.not(zone.zone.address.port, before)
    assert.is(await statusOf(zone, '/healthz'), 200)
  })
})

test.run()
