/** What a zone bounds at its gateway and as it starts, in virtual time. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { catalogue, nodeCatalogue } from '../../boot/catalogue.ts'
import { defaultConfig } from '../../boot/config.ts'
import { up } from '../../boot/up.ts'
import type { ActorDefinition } from '../../runtime/actor.ts'
import { limits } from '../../runtime/limits.ts'
import type { HttpResponse, Transport } from '../../runtime/platform/ports.ts'
import { simulate } from '../../runtime/sim/simulate.ts'
import { createTrace } from '../../runtime/trace.ts'
import { inLiveZone, type Change, type LiveZone } from '../actors/live-zone.ts'
import { pause } from '../runtime/sim-fixture.ts'

const test = suite('limits of a zone')

const get = ({ zone, world }: LiveZone, path: string): Promise<HttpResponse> =>
  world.http(zone.config.host, zone.address.port, {
    method: 'GET', path, query: '', headers: {}, body: new Uint8Array(), remoteAddress: '127.0.0.1',
  })
/** uvu compares texts by a clock, which is a trap in a simulation. */
function is(actual: string, expected: string): void {
  if (actual !== expected) throw new Error(`Expected ${expected}: ${actual}`)
}

/** The node daemon takes so long to answer what the gateway asks. */
const slowDaemon = (ms: () => number): Change => (definition) => ({
  ...definition,
  async start(start) {
    const serving = await definition.start(start)
    const { handlers } = serving as unknown as { handlers: { services: (...given: unknown[]) => unknown } }
    const { services } = handlers
    handlers.services = async (...given) => {
      await pause(start, ms())
      return services(...given)
    }
    return serving
  },
})

test('the gateway waits for an actor as long as the limit, then it answers 503', async () => {
  let ms = 0
  await inLiveZone(async (live) => {
    ms = limits.gatewayCallMs - 500
    is(String((await get(live, '/healthz')).status), '200')
    ms = limits.gatewayCallMs + 500
    const began = live.world.clock.monotonic()
    is(String((await get(live, '/healthz')).status), '503')
    const waited = live.world.clock.monotonic() - began
    assert.ok(waited >= limits.gatewayCallMs - 10 && waited < limits.gatewayCallMs + 400, `${waited} ms`)
  }, { 'node-daemon': slowDaemon(() => ms) })
})

/** The gateway's server also has a page that takes so long. */
const slowPage = (ms: () => number): Change => (definition) => ({
  ...definition,
  start(start) {
    const { transport, clock } = start
    const serveHttp: Transport['serveHttp'] = (options, handle) => transport.serveHttp(options, async (request) => {
      if (request.path !== '/slow') return handle(request)
      await pause({ clock }, ms())
      return { status: 200, headers: {}, body: 'slow' }
    })
    return definition.start({ ...start, transport: { ...transport, serveHttp } })
  },
})
const outcomeOf = (answer: Promise<HttpResponse>): Promise<string> =>
  answer.then(({ status }) => String(status), (error: Error) => error.name)

test('a request has the time of the limit to be answered, then it is cut or answered in its place', async () => {
  let ms = 0
  await inLiveZone(async (live) => {
    ms = limits.httpRequestMs - 500
    is(await outcomeOf(get(live, '/slow')), '200')
    ms = limits.httpRequestMs + 500
    const outcome = await outcomeOf(get(live, '/slow'))
    assert.ok(['408', '503', 'Unavailable'].includes(outcome), outcome)
  }, { gateway: slowPage(() => ms) })
})

test('when the gateway stops, a running request has the time of the limit, then it is cut', async () => {
  for (const [extraMs, expected] of [[-500, '200'], [1_000, 'Unavailable']] as const) {
    let ms = 0
    await inLiveZone(async (live) => {
      ms = 1_000 + limits.httpCloseMs + extraMs
      const answered = outcomeOf(get(live, '/slow'))
      await live.pause(1_000)
      await live.zone.stop()
      is(await answered, expected)
    }, { gateway: slowPage(() => ms) })
  }
})

test('as many nodes as the limit start at the same time, and the others wait', async () => {
  const specs = [...catalogue('zone', { ...defaultConfig, nodes: 1 }), ...nodeCatalogue('zone')]
  const modules = new Map(await Promise.all(specs.map(async ({ module }) =>
    [module.href, (await import(module.href) as { default: ActorDefinition }).default] as const)))
  const options = { seed: 70, keys: 'cheap', modules, maxEvents: 1_000_000, maxVirtualMs: 3_600_000 } as const
  let most = 0
  let served = 0
  await simulate(options, async (world) => {
    const { platform } = world.startProcess(defaultConfig.host)
    const trace = createTrace()
    const starting = new Set<string>()
    trace.on('host', ({ host, state }) => {
      if (state === 'starting') starting.add(host)
      else starting.delete(host)
      if (state === 'serving') served++
      most = Math.max(most, [...starting].filter((name) => name.startsWith('node')).length)
    })
    const zone = await up({ platform, folder: 'zone', nodes: 2 * limits.nodesAtOnce, trace })
    await zone.stop()
  })
  assert.ok(served >= 2 * limits.nodesAtOnce, `${served}`)
  assert.is(most, limits.nodesAtOnce)
})

test.run()
