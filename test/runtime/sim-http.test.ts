/** HTTP between simulated hosts: streams, and requests of programs. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Cancelled, DeadlineExceeded, Unavailable } from '../../runtime/errors.ts'
import type { HttpAnswer, HttpCall, HttpRequest, HttpResponse } from '../../runtime/platform/ports.ts'
import type { SimulatedProcess } from '../../runtime/sim/simulate.ts'
import { pause, rejects, simulateWith } from './sim-fixture.ts'

const test = suite('simulated HTTP streams and requests')

const STALL_MS = 1_000
const get = (path: string): HttpRequest =>
  ({ method: 'GET', path, query: '', headers: {}, body: new Uint8Array(), remoteAddress: '10.0.0.9' })

/** Counts what it was asked for. */
class Source implements AsyncIterableIterator<string> {
  asked = 0
  left = false
  readonly #last: number
  constructor(last: number) {
    this.#last = last
  }
  [Symbol.asyncIterator](): this {
    return this
  }
  async next(): Promise<IteratorResult<string>> {
    if (this.asked === this.#last) return { done: true, value: undefined }
    return { done: false, value: String(++this.asked) }
  }
  async return(): Promise<IteratorResult<string>> {
    this.left = true
    return { done: true, value: undefined }
  }
}

async function serve(
  server: SimulatedProcess, handle: (request: HttpRequest) => Promise<HttpResponse>,
): ReturnType<SimulatedProcess['platform']['transport']['serveHttp']> {
  const options = { hostname: '127.0.0.1', port: 80, bodyBytesMax: 100, requestMsMax: STALL_MS }
  return server.platform.transport.serveHttp(options, handle)
}

const streaming = (source: AsyncIterable<string>) => async (): Promise<HttpResponse> =>
  ({ status: 200, headers: {}, body: source })

const bodyOf = (response: HttpResponse): AsyncIterableIterator<string> => response.body as AsyncIterableIterator<string>

const call = (changes: Partial<HttpCall>): HttpCall => ({
  hostname: 'localhost', port: 80, method: 'GET', path: '/', headers: {}, body: '', withinMs: 5_000, ...changes,
})

async function textOf({ body }: HttpAnswer): Promise<string> {
  let text = ''
  for await (const chunk of body) text += new TextDecoder().decode(chunk)
  return text
}

test('a stream arrives in order and whole, and no more of it is asked for than its reader reads', async () => {
  await simulateWith(async (world) => {
    const source = new Source(20)
    await serve(world.startProcess('ood1'), streaming(source))
    const pieces = bodyOf(await world.http('ood1', 80, get('/')))
    await pause(world, 100)
    assert.ok(source.asked < 10, `asked for ${source.asked} before the first was read`)
    const read: string[] = []
    for await (const piece of pieces) read.push(piece)
    assert.is(read.join(), Array.from({ length: 20 }, (_, index) => index + 1).join())
    assert.not.ok(source.left)
  })
})

test('of a stream that goes on by a wire which dropped what it was sent no piece is lacking', async () => {
  await simulateWith(async (world) => {
    let tell = (_: string): void => {}
    await serve(world.startProcess('ood1'), async () => ({
      status: 200, headers: {}, body: (async function* () {
        for (;;) yield await new Promise<string>((resolve) => { tell = resolve })
      })(),
    }))
    const { body } = await world.startProcess('node1').platform.transport.request(call({ hostname: 'ood1' }))
    const pieces = body[Symbol.asyncIterator]()
    const read: string[] = []
    const reading = (async () => {
      while (read.length < 3) read.push(new TextDecoder().decode((await pieces.next()).value as Uint8Array))
    })()
    for (const [piece, cut] of [['one', 'open'], ['two', 'drop'], ['three', 'open']] as const) {
      world.setWire('ood1', 'node1', { cut })
      await pause(world, 200)
      tell(piece)
      await pause(world, 200)
      assert.is(read.length, { one: 1, two: 1, three: 3 }[piece], piece)
    }
    await reading
    assert.equal(read, ['one', 'two', 'three'])
  })
})

test('a stream is left when its reader goes, when it reads nothing, and when the server closes', async () => {
  for (const end of ['reader', 'stall', 'close'] as const) {
    await simulateWith(async (world) => {
      const source = new Source(Infinity)
      const server = await serve(world.startProcess('ood1'), streaming(source))
      const pieces = bodyOf(await world.http('ood1', 80, get('/')))
      await pieces.next()
      assert.not.ok(source.left, end)
      if (end === 'reader') await pieces.return!()
      if (end === 'close') await server.close(50)
      await pause(world, end === 'stall' ? STALL_MS + 100 : 100)
      assert.ok(source.left, end)
      if (end !== 'reader') await rejects((async () => { for await (const _ of pieces) continue })(), Unavailable)
    })
  }
})

test('what a stream throws cuts it, and so does the death of its process', async () => {
  await simulateWith(async (world) => {
    const server = world.startProcess('ood1')
    await serve(server, async ({ path }) => ({
      status: 200, headers: {}, body: (async function* () {
        yield 'one'
        if (path === '/throws') throw new Error('Secret')
        await new Promise(() => {})
      })(),
    }))
    for (const path of ['/throws', '/dies']) {
      const pieces = bodyOf(await world.http('ood1', 80, get(path)))
      assert.is((await pieces.next()).value, 'one')
      if (path === '/dies') world.clock.after(10, () => server.kill())
      await rejects(pieces.next(), Unavailable)
    }
  })
})

test('a program reaches its own host by loopback and another by its name', async () => {
  await simulateWith(async (world) => {
    const server = world.startProcess('ood1')
    await serve(server, async ({ method, path, query, headers, body, remoteAddress }) => ({
      status: 201, headers: { 'X-Seen': headers['x-name'] ?? '' },
      body: [method, path, query, new TextDecoder().decode(body), remoteAddress].join(' '),
    }))
    const own = await server.platform.transport.request(call({ method: 'POST', path: '/a?b=1', body: 'hi' }))
    assert.is(await textOf(own), 'POST /a b=1 hi 127.0.0.1')
    const elsewhere = world.startProcess('node1').platform.transport
    const other = await elsewhere.request(call({ hostname: 'ood1', headers: { 'X-Name': 'n' } }))
    assert.equal([other.status, other.headers['x-seen']], [201, 'n'])
    assert.is(await textOf(other), 'GET /   192.0.2.1')
    await rejects(elsewhere.request(call({})), Unavailable)
    await rejects(elsewhere.request(call({ hostname: 'nowhere' })), Unavailable)
  })
})

test('a request ends in time, or when it is cancelled, before and in the midst of its body', async () => {
  await simulateWith(async (world) => {
    const source = new Source(Infinity)
    const server = world.startProcess('ood1')
    await serve(server, async ({ path }) =>
      path === '/never' ? new Promise<never>(() => {}) : streaming(source)())
    const { transport } = server.platform
    await rejects(transport.request(call({ path: '/never', withinMs: 100 })), DeadlineExceeded)
    const first = new AbortController()
    world.clock.after(10, () => first.abort())
    await rejects(transport.request(call({ path: '/never', signal: first.signal })), Cancelled)
    const second = new AbortController()
    const { body } = await transport.request(call({ signal: second.signal }))
    await rejects((async () => {
      let pieces = 0
      for await (const _ of body) if (++pieces === 3) second.abort()
    })(), Cancelled)
    await pause(world, 10)
    assert.ok(source.left)
  })
})

test.run()
