/** By which connection a host asks, and by which roots that was judged. */
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:tls'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { JoinHello } from '../../actors/join-protocol.ts'
import { rootSetType } from '../../actors/root-set.ts'
import { withServer } from '../../boot/join/ask.ts'
import { isPassing } from '../../boot/join/failures.ts'
import type { JoinOptions } from '../../boot/join/join-client.ts'
import { meeting } from '../../boot/join/meet.ts'
import { DeadlineExceeded, TlsNotTrusted, Unavailable } from '../../runtime/errors.ts'
import { openPlatform } from '../../runtime/platform/index.ts'
import type { HttpConnection } from '../../runtime/platform/ports.ts'
import type { TlsCall } from '../../runtime/platform/tls-ports.ts'
import { signDocument } from '../../runtime/trust/keys.ts'
import { tlsPairs } from '../runtime/tls-pairs.ts'
import { authority, leaf } from '../runtime/x509-fixture.ts'

const platform = await openPlatform()
const { keys, random, clock } = platform
const anchor = keys.generate(random)
const ood = { extensions: { names: [{ type: 'uri' as const, value: 'spiffe://z1/ood/ood1' }] } }
const root = await authority('root', undefined, {})
const [server, another] = [await leaf('ood1', root, ood), await leaf('ood1', root, ood)]

/** What a host does that has `given`, where the set of roots that the anchor signed says `set`. */
async function met(given: readonly string[], set: readonly string[], shows = [server, server]) {
  const iat = Math.floor(clock.now() / 1_000)
  const roots = signDocument(anchor, rootSetType, { zone: 'z1', version: 1, roots: set, iat, notAfter: iat + 60 })
  const judgedBy: TlsCall['roots'][] = []
  let open = 0
  const connectHttp = async (_: unknown, tls: TlsCall): Promise<HttpConnection> => {
    tls.check?.(shows[judgedBy.length]!.certificate.raw)
    judgedBy.push(tls.roots)
    open++
    const number = judgedBy.length
    let isOpen = true
    return {
      async request({ path }) {
        const said = path === '/which' ? { zone: 'z1', host: String(number), now: clock.now() }
          : { zone: 'z1', host: 'ood1', now: clock.now(), roots }
        const body = (async function* () { yield new TextEncoder().encode(JSON.stringify(said)) })()
        return { status: 200, headers: {}, body }
      },
      close() {
        if (isOpen) open--
        isOpen = false
      },
    }
  }
  const options: JoinOptions = {
    platform: { ...platform, transport: { ...platform.transport, connectHttp } }, hostname: 'ood1', port: 1,
    host: 'node1',
    given: { token: 't', zone: 'z1', anchors: [anchor.public.jwk], rootsVersion: 1 }, roots: given,
    device: keys.generate(random), attempts: 1, attemptMs: 1_000, signal: new AbortController().signal,
    onStep() {}, onRetry() {},
  }
  const outcome = await meeting(options, async ({ asking, roots: now }) => {
    const { host } = await asking.ask(JoinHello, 'GET', '/which')
    return { host, roots: now, open }
  }).catch((error: unknown) => error as Error)
  return { outcome, judgedBy, left: open }
}

test('what was met by roots that all hold is asked by the same connection, which is closed after that', async () => {
  for (const set of [['old'], ['old', 'new']]) {
    const { outcome, judgedBy, left } = await met(['old'], set)
    assert.equal(outcome, { host: '1', roots: set, open: 1 })
    assert.equal([judgedBy, left], [[['old']], 0])
  }
})

test('where one of the roots holds no more the server is judged anew, by those that do', async () => {
  const { outcome, judgedBy, left } = await met(['old', 'other'], ['old', 'new'])
  assert.equal(outcome, { host: '2', roots: ['old', 'new'], open: 1 })
  assert.equal([judgedBy, left], [[['old', 'other'], ['old', 'new']], 0])
})

test('and is then to be the same server', async () => {
  const { outcome, left } = await met(['old'], ['new'], [server, another])
  assert.instance(outcome, Unavailable)
  assert.is(left, 0)
})

test('whoever is no control plane is asked nothing', async () => {
  const node = await leaf('node2', root, { extensions: { names: [{ type: 'uri', value: 'spiffe://z1/node/node2' }] } })
  const { outcome, judgedBy } = await met(['old'], ['old'], [node, node])
  assert.not.instance(outcome, TlsNotTrusted, 'told as what to do')
  assert.match((outcome as Error).message, /no control plane/)
  assert.equal(judgedBy, [])
})

test('an answer that begins and does not end is late, and may be asked for again', async () => {
  const { root: pem, server: pair } = tlsPairs()
  const stalling = createServer({ cert: pair.certificate, key: pair.key, ALPNProtocols: ['a/1'] }, (socket) => {
    socket.on('error', () => {})
    socket.once('data', () => void socket.write('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"zone":'))
  })
  await new Promise<void>((resolve) => stalling.listen(0, '127.0.0.1', () => resolve()))
  const { port } = stalling.address() as AddressInfo
  const options: JoinOptions = {
    platform, hostname: '127.0.0.1', port, host: 'node1', given: { token: 't' }, roots: [pem],
    device: keys.generate(random), attempts: 1, attemptMs: 200, signal: new AbortController().signal,
    onStep() {}, onRetry() {},
  }
  const asked = withServer(options, { roots: [pem], alpn: 'a/1' }, ({ ask }) => ask(JoinHello, 'GET', '/hello'))
  const outcome = await Promise.race([
    asked.then(() => undefined, (error: unknown) => error),
    new Promise((resolve) => setTimeout(() => resolve('It has no end'), 3_000)),
  ])
  stalling.close()
  assert.instance(outcome, DeadlineExceeded, String(outcome))
  assert.ok(isPassing(outcome))
})

test.run()
