/** Who renews speaks to the control plane, and to nobody else who has a certificate of the zone. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { hostAlpn, joinAlpn } from '../../actors/join-protocol.ts'
import { renew, renewAgain, whoami, type Joined, type JoinOptions } from '../../boot/join/join-client.ts'
import type { ZonewrightError } from '../../runtime/errors.ts'
import { openPlatform } from '../../runtime/platform/index.ts'
import type { TlsPair } from '../../runtime/platform/tls-ports.ts'
import { signRequest } from '../../runtime/x509/csr.ts'
import { encodeName } from '../../runtime/x509/name.ts'
import { encodePem } from '../../runtime/x509/pem.ts'
import { answerOf } from '../../actors/vault/pki/handlers.ts'
import { keys, mounted, random, ZONE } from '../actors/pki-fixture.ts'

const platform = await openPlatform()

const pki = await (async () => {
  const made = mounted()
  made.clock.ms = platform.clock.now()
  await made.pki.rotation.ensure()
  return made.pki
})()

async function certified(
  role: string, commonName: string, ip: boolean,
): Promise<TlsPair & { roots: readonly string[] }> {
  const key = await keys.certificates.generate('ec-p256', random)
  const csr = encodePem('CERTIFICATE REQUEST', signRequest({
    subject: encodeName([{ type: 'CN', value: commonName }]),
  }, key))
  const peer = { zone: ZONE, host: 'ood1', actor: 'enrolment', runtimeType: 'kernel-service', incarnation: 1, kid: 'k' }
  const issued = answerOf(await pki.issuing.sign(csr, await pki.roles.read(role), {
    commonName, names: ip ? [{ type: 'ip', value: '127.0.0.1' }] : [],
  }, { holder: 'test', peer }))
  return {
    certificate: [issued.certificate, ...issued.chain].join(''), key: key.exportPem(), roots: issued.roots,
  }
}

/** A server with a certificate of this role, and how many requests reached it. */
async function serving(role: string, commonName: string) {
  const { certificate, key, roots } = await certified(role, commonName, true)
  let asked = 0
  const server = await platform.transport.serveHttp({
    hostname: '127.0.0.1', port: 0, bodyBytesMax: 10_000, requestMsMax: 5_000,
    tls: { least: 'TLSv1.3', certificate, key, clientRoots: roots, alpn: [joinAlpn, hostAlpn] },
  }, async () => {
    asked++
    return { status: 404, headers: {}, body: '{}' }
  })
  return { port: server.port, roots, asked: () => asked, close: () => server.close(0) }
}

const servers = [['ood', 'ood1', true], ['vault', 'vault', false], ['service', 'web', false]] as const
for (const [role, name, reaches] of servers) {
  test(`whoever renews ${reaches ? 'asks' : 'asks nothing of'} a server with a certificate of ${role}`, async () => {
    const server = await serving(role, name)
    const { roots, ...tls } = await certified('node', 'node1', false)
    const options: JoinOptions = {
      platform, hostname: '127.0.0.1', port: server.port, given: { token: '', zone: ZONE }, host: 'node1', roots,
      device: keys.generate(random), attempts: 1, attemptMs: 5_000, signal: new AbortController().signal,
      onStep() {}, onRetry() {},
    }
    const before: Joined = {
      zone: ZONE, host: 'node1', role: 'node', tls, roots, serial: '01', notBefore: 0, notAfter: 1, skewMs: 0,
      standing: { zone: { root: keys.generate(random).public.jwk } } as never,
    }
    const codeOf = async (run: () => Promise<unknown>): Promise<string> => {
      const error: unknown = await run().catch((failed: unknown) => failed)
      return (error as ZonewrightError).code
    }
    try {
      const expected = reaches ? 'NotAZone' : 'ServerWrongName'
      assert.is(await codeOf(() => renew(options, before)), expected)
      assert.is(await codeOf(() => renewAgain(options)), expected)
      assert.is(await codeOf(() => whoami(options, before)), reaches ? 'NotAZone' : 'TlsNotTrusted')
      assert.is(server.asked(), reaches ? 3 : 0)
    } finally {
      await server.close()
    }
  })
}

test.run()
