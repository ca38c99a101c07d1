/** TLS between simulated hosts: who is trusted, and what is told to whom. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Cancelled, InvalidArgument } from '../../runtime/errors.ts'
import type { HttpServerOptions } from '../../runtime/platform/ports.ts'
import type { TlsCall, TlsPair } from '../../runtime/platform/tls-ports.ts'
import type { CertificateSigningKey } from '../../runtime/platform/certificate-keys.ts'
import { signCertificate } from '../../runtime/x509/certificate.ts'
import type { Extensions } from '../../runtime/x509/extensions.ts'
import { encodeName } from '../../runtime/x509/name.ts'
import { encodePem } from '../../runtime/x509/pem.ts'
import { newSerial } from '../../runtime/x509/serial.ts'
import { simulateWith, thrownBy } from './sim-fixture.ts'
import {
  began, certified, client, expect, faultOf, foreign, life, listen, pem, PORT, root, same, server, staged, trusting,
} from './sim-tls-fixture.ts'
import { day, leaf } from './x509-fixture.ts'

const test = suite('simulated TLS')

test('bytes go both ways in order, each end knows the other, and what was sent before a close arrives', () =>
  staged(async ({ open, accepted, pause: wait }) => {
    const near = await open({ client })
    const early = Uint8Array.of(1, 2)
    near.send(early)
    early.fill(9)
    await wait(50)
    const far = accepted[0]!
    same([near.alpn, far.alpn, far.remoteAddress], ['bytes/1', 'bytes/1', '192.0.2.1'])
    expect(far.certificate!.length > 100 && near.certificate!.length > 100, 'somebody shows no certificate')
    const [atNear, atFar] = [listen(near), listen(far)]
    far.send(Uint8Array.of(7))
    near.send(Uint8Array.of(3))
    await wait(50)
    same([atNear.bytes, atFar.bytes], [[7], [1, 2, 3]])
    near.send(new Uint8Array(1_000).fill(5))
    near.close('enough')
    near.send(Uint8Array.of(8))
    far.send(Uint8Array.of(8))
    await wait(50)
    same([atFar.bytes.length, atFar.closed, atNear], [
      1_003, ['the peer closed the connection'], { bytes: [7], closed: ['enough'] },
    ])
  }).then(() => {}))

test('who is not trusted, and why, is told as the real client tells it', async () => {
  const soon = await certified(root, 'ood1', { notBefore: began + day })
  const ended = await certified(root, 'ood1', { notAfter: began - 1_000 })
  const forClients = await leaf('ood1', root, {
    ...life, extensions: { names: [{ type: 'dns', value: 'ood1' }], extendedKeyUsage: ['clientAuth'] },
  })
  const of = (pair: TlsPair) => ({ tls: { ...pair, clientRoots: [pem(root)] } })
  const judged = async (call: Partial<TlsCall>, options: Partial<HttpServerOptions> = {}): Promise<string> => {
    let reason = ''
    await staged(async ({ open, accepted, pause: wait }) => {
      reason = await faultOf(open(call))
      await wait(1_000)
      if (reason !== 'none') expect(accepted.length === 0, 'it was accepted all the same')
    }, options)
    return reason
  }
  assert.is(await judged({}), 'none')
  assert.is(await judged({ servername: 'a.wild.test' }), 'none')
  assert.is(await judged({ servername: 'a.b.wild.test' }), 'wrong-name')
  assert.is(await judged({ servername: 'ood2' }), 'wrong-name')
  assert.is(await judged({ servername: '127.0.0.1' }), 'wrong-name')
  assert.is(await judged({ roots: [pem(foreign)] }), 'unknown-authority')
  assert.is(await judged({ roots: 'system' }), 'unknown-authority')
  assert.is(await judged({ roots: 'anybody', servername: 'ood2' }), 'none')
  assert.is(await judged({ alpn: 'other/1' }), 'refused')
  assert.is(await judged({ check: () => { throw new InvalidArgument('not this one') } }), 'InvalidArgument')
  assert.is(await judged({ client: { ...client, key: server.key } }), 'InvalidArgument')
  assert.is(await judged({}, of(soon)), 'not-yet-valid')
  assert.is(await judged({}, of(ended)), 'expired')
  const wrong = { certificate: pem(forClients), key: forClients.key.exportPem() }
  assert.is(await judged({}, of(wrong)), 'unknown-authority')
  assert.is(await judged({}, { port: 444 }), 'Unavailable')
})

test('a client is known by a certificate of a root that the server names, and by no other', () =>
  staged(async ({ world, open, accepted, pause: wait }) => {
    const stranger = await certified(foreign, 'node1')
    const forServers = await leaf('node1', root, { ...life, extensions: { extendedKeyUsage: ['serverAuth'] } })
    for (const [shown, known] of [
      [undefined, false], [client, true], [stranger, false],
      [{ certificate: pem(forServers), key: forServers.key.exportPem() }, false],
    ] as const) {
      await open(shown ? { client: shown } : {})
      await wait(50)
      expect((accepted.at(-1)!.certificate !== undefined) === known, `it is ${known ? 'not ' : ''}known`)
    }
    // The clock of the server judges
    world.stepClock('ood1', 60 * day)
    await open({ client })
    await wait(50)
    expect(accepted.at(-1)!.certificate === undefined, 'a certificate that has ended is known')
  }).then(() => {}))

test('a renewed pair is shown to who connects from then on, and connections that are open go on', () =>
  staged(async ({ open, served, accepted, pause: wait }) => {
    const before = await open()
    const next = await certified(root, 'ood1')
    served.renew!(next)
    const after = await open()
    expect(String(before.certificate) !== String(after.certificate), 'the old pair is shown')
    await wait(50)
    const atFar = listen(accepted[0]!)
    before.send(Uint8Array.of(1))
    await wait(50)
    same(atFar.bytes, [1])
  }).then(() => {}))

test('requests go by TLS as well: to who is trusted, from who is known', () =>
  staged(async ({ node }) => {
    const base = { hostname: 'ood1', port: PORT, method: 'GET', path: '/', headers: {}, body: '', withinMs: 5_000 }
    const request = (tls: TlsCall, hostname = 'ood1') => node.platform.transport.request({ ...base, hostname, tls })
    const textOf = async (tls: TlsCall): Promise<string> => {
      let text = ''
      for await (const piece of (await request(tls)).body) text += new TextDecoder().decode(piece)
      return text
    }
    same(await textOf({ roots: [pem(root)] }), 'http/1.1 0 192.0.2.1')
    expect(/^a\/1 [1-9]\d+ /.test(await textOf({ roots: [pem(root)], alpn: 'a/1', client })), 'it is not known')
    same(await faultOf(request({ roots: [pem(foreign)] })), 'unknown-authority')
    same(await faultOf(request({ roots: [pem(root)] }, 'nobody')), 'Unavailable')
    same(await faultOf(node.platform.transport.request(base)), 'Unavailable')
  }).then(() => {}))

test('a handshake is cancelled at a word, and one that does not end is cut by the server', () =>
  staged(async ({ node, open, world, served, pause: wait }) => {
    const ending = new AbortController()
    const { transport } = node.platform
    const opening = transport.connectTls(
      { hostname: 'ood1', port: PORT, withinMs: 5_000, signal: ending.signal }, trusting,
    )
    ending.abort()
    expect(await thrownBy(opening) instanceof Cancelled, 'it was not cancelled')
    // The client hears nothing of the server
    world.setWire('ood1', 'node1', { cut: 'drop' })
    const late = faultOf(open({}, 10_000))
    for (const [afterMs, isClosed] of [[900, false], [200, true]] as const) {
      await wait(afterMs)
      let closed = false
      void served.close(60_000).then(() => { closed = true })
      await wait(1)
      same(closed, isClosed)
    }
    same(await late, 'DeadlineExceeded')
  }, { tls: { ...server, handshakeMs: 1_000 } }).then(() => {}))

test('a Unix socket is a port by its path, on its own host alone', () => simulateWith(async (world) => {
  const [one, two] = [world.startProcess('ood1').platform, world.startProcess('node1').platform]
  const options = { hostname: '', port: 0, bodyBytesMax: 100, requestMsMax: 1_000, socket: '/run/zone.sock' }
  const handle = async () => ({ status: 200, headers: {}, body: 'here' })
  const socket = await one.transport.serveHttp(options, handle)
  same(socket.port, 0)
  same(await faultOf(one.transport.serveHttp(options, handle)), 'PortInUse')
  const ask = (transport: typeof one.transport) => transport.request({
    hostname: '', port: 0, socket: options.socket, method: 'GET', path: '/', headers: {}, body: '', withinMs: 500,
  })
  same((await ask(one.transport)).status, 200)
  same(await faultOf(ask(two.transport)), 'Unavailable')
}).then(() => {}))

test('requests one after another go by one connection, and to nobody who listens there later', () =>
  staged(async ({ node, ood, served, pause: wait }) => {
    let judged = 0
    const { transport } = node.platform
    const connection = await transport.connectHttp({ hostname: 'ood1', port: PORT, withinMs: 1_000 }, {
      ...trusting, alpn: 'a/1', client, check: () => void judged++,
    })
    const ask = async (): Promise<string> => {
      const { body } = await connection.request({ method: 'GET', path: '/', headers: {}, body: '', withinMs: 1_000 })
      let text = ''
      for await (const piece of body) text += new TextDecoder().decode(piece)
      return text
    }
    const [first, second] = [await ask(), await ask()]
    same([first === second, /^a\/1 [1-9]\d+ 192/.test(first), judged], [true, true, 1])
    await served.close(0)
    await ood.platform.transport.serveHttp({
      hostname: '0.0.0.0', port: PORT, bodyBytesMax: 1_000, requestMsMax: 1_000,
      tls: { ...server, clientRoots: [pem(root)], alpn: ['a/1'] },
    }, async () => ({ status: 200, headers: {}, body: 'somebody else' }))
    same(await faultOf(ask()), 'Unavailable')
    await wait(1_000)
    same(await faultOf(ask()), 'Unavailable')
    connection.close()
  }).then(() => {}))

test('the close of a connection ends what is under way on it, and what is asked after it', () =>
  staged(async ({ node }) => {
    const connection = await node.platform.transport.connectHttp({ hostname: 'ood1', port: PORT, withinMs: 1_000 }, {
      ...trusting, alpn: 'a/1',
    })
    const ask = (): Promise<unknown> =>
      connection.request({ method: 'GET', path: '/', headers: {}, body: '', withinMs: 1_000 })
    await ask()
    const asked = faultOf(ask())
    connection.close()
    same([await asked, await faultOf(ask())], ['Unavailable', 'Unavailable'])
    connection.close()
  }).then(() => {}))

test('certificates of the cheap keys are judged like others', () => simulateWith(async (world) => {
  const [one, two] = [world.startProcess('ood1').platform, world.startProcess('node1').platform]
  const [rootKey, ownKey, strangeKey] = await Promise.all(['root', 'own', 'strange'].map((name) =>
    one.keys.certificates.generate('ed25519', one.random.fork(name))))
  const nameOf = (CN: string): Uint8Array => encodeName([{ type: 'CN', value: CN }])
  type Key = CertificateSigningKey
  const sign = (by: Key, subject: string, key: Key, extensions: Extensions): string =>
    encodePem('CERTIFICATE', signCertificate({
      serial: newSerial(one.random), issuer: nameOf('root'), subject: nameOf(subject), notBefore: began - day,
      notAfter: began + day, spki: key.public.spki, extensions,
    }, by))
  const authority = { ca: {}, keyUsage: ['keyCertSign'] } as const
  const [roots, others] = [rootKey!, strangeKey!].map((key) => [sign(key, 'root', key, authority)])
  const certificate = sign(rootKey!, 'ood1', ownKey!, {
    keyUsage: ['digitalSignature'], names: [{ type: 'dns', value: 'ood1' }],
  })
  await one.transport.serveHttp({
    hostname: '', port: PORT, bodyBytesMax: 1, requestMsMax: 1_000,
    tls: { certificate, key: ownKey!.exportPem() },
  }, async () => ({ status: 200, headers: {}, body: '' }))
  const open = (trusted: readonly string[]) => two.transport.connectTls(
    { hostname: 'ood1', port: PORT, withinMs: 1_000 }, { roots: trusted },
  )
  same(await faultOf(open(roots!)), 'none')
  same(await faultOf(open(others!)), 'unknown-authority')
}, { keys: 'cheap' }).then(() => {}))

test.run()
