/** What a control plane tells of its hosts, by the uplink as it is over connections in memory. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { deviceDocumentType } from '../../actors/records.ts'
import type { HostCertificate } from '../../actors/host-certificate.ts'
import { keepConnected } from '../../actors/uplink/connection.ts'
import { openDocuments } from '../../actors/uplink/documents.ts'
import type { UplinkTrust } from '../../actors/uplink/trust.ts'
import { zoneDocumentType } from '../../actors/zone-document.ts'
import type { ActorStart } from '../../runtime/actor.ts'
import { openPlatform } from '../../runtime/platform/index.ts'
import { createMemoryStore } from '../../runtime/store/memory.ts'
import { signDocument } from '../../runtime/trust/keys.ts'
import { tlsChannel } from '../../transport/tls.ts'
import type { TunnelEnd } from '../../transport/tunnel/protocol.ts'
import { openTunnel } from '../../transport/tunnel/tunnel.ts'
import { another, tlsPair } from '../tunnels-fixture.ts'
import { manualClock } from './manual-clock.ts'

const platform = await openPlatform()
const { keys, random } = platform
const [owner, stranger, device] = [keys.generate(random), keys.generate(random), keys.generate(random)]
const zoneDocument = signDocument(owner, zoneDocumentType, {
  zone: 'a.zone', owner: 'anna', root: owner.public.jwk, host: 'ood1', epoch: 0, iat: 100,
})
const ood = (name: string, by = owner): string => signDocument(by, deviceDocumentType, {
  zone: 'a.zone', name, role: 'ood', key: device.public.jwk, owner: 'anna', iat: 100,
})
const told = (document: string, server: string): string =>
  JSON.stringify({ zoneDocument, oods: [{ document, servers: [server] }] })

test('who says that it is no control plane any more is left; whom the owner has not signed for is not heard of',
  async () => {
    const clock = manualClock()
    const stopping = new AbortController()
    const [mine, theirs] = [await another('node1'), await another('ood1')]
    const [own, peer] = [mine.certificate.raw, theirs.certificate.raw]
    const warnings: string[] = []
    const dialled: number[] = []
    let server: Promise<TunnelEnd> | undefined
    const start = {
      clock, random, keys, stopping: stopping.signal, count() {}, accept: async () => { throw new Error('nobody') },
      self: { zone: 'a.zone', host: 'node1', actor: 'uplink', runtimeType: 'node', incarnation: 1, linkKid: '' },
      log: { info() {}, warn: (message: string) => void warnings.push(message), error() {} },
      transport: {
        async connectTls({ port }: { port: number }, { check }: { check: (shown: Uint8Array) => void }) {
          dialled.push(port)
          const [here, there] = tlsPair(clock, '10.0.0.1', own, peer, [])
          check(peer)
          server = openTunnel({
            channel: tlsChannel(there, { clock }), role: 'listener', clock, random,
            hello: { zone: 'a.zone', host: 'ood1' }, certificates: { own: peer, peer: own, keys },
            onHello: async () => {}, onTell: async () => {}, onRenew: async () => {},
            onOpen: async () => { throw new Error('nothing') },
          })
          server.catch(() => {})
          return here
        },
      },
    } as unknown as ActorStart
    const first = { chain: [own], notAfter: mine.certificate.notAfter, tls: {} } as unknown as HostCertificate
    const hosts = await openDocuments({ keys, store: createMemoryStore(platform), zone: 'a.zone', zoneDocument })
    const connection = keepConnected({
      start, hosts, servers: ['10.0.0.1:1'], first,
      trust: { roots: [], oodOf: () => 'ood1' } as Partial<UplinkTrust> as UplinkTrust,
      certificates: { again: () => new Promise(() => {}), next: () => new Promise(() => {}) },
    })
    const run = connection.run()
    const pass = async (ms: number): Promise<void> => {
      for (let left = ms; left > 0; left -= 50) await clock.advance(50)
    }
    await pass(200)
    const end = await server!
    end.tell('hosts', told(ood('ood1'), '10.0.0.1:1'))
    await pass(200)
    assert.equal([hosts.names, hosts.servers, connection.state().state], [['ood1'], ['10.0.0.1:1'], 'connected'])
    end.tell('hosts', told(ood('ood9', stranger), '10.6.6.6:1'))
    await pass(200)
    assert.match(warnings.join(), /of its hosts is not taken: .*does not verify/)
    assert.equal([hosts.names, connection.state().state], [['ood1'], 'connected'])
    end.tell('hosts', told(ood('ood2'), '10.0.0.2:2'))
    await pass(100)
    assert.match(warnings.join(), /no host of the control plane any more/)
    await pass(1_000)
    assert.equal(hosts.names, ['ood2'])
    assert.equal(dialled.slice(0, 2), [1, 2], 'the one that it was told of is next')
    stopping.abort()
    connection.close()
    await pass(100)
    await run
  })

test.run()
