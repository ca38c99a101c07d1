/** A thousand hosts hold their tunnels to one OOD: each is judged by its chain and its document, and nobody waits. */
import process from 'node:process'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createAdmission } from '../actors/enrolment/tunnels/admission.ts'
import { createTunnels } from '../actors/enrolment/tunnels/tunnels.ts'
import { openTrust } from '../actors/enrolment/trust.ts'
import { deviceDocumentType, digestOfItems, kv } from '../actors/records.ts'
import type { ActorStart } from '../runtime/actor.ts'
import { Unavailable } from '../runtime/errors.ts'
import { limits } from '../runtime/limits.ts'
import { systemClock as clock } from '../runtime/platform/clock.ts'
import { createDenialLog } from '../runtime/trust/denial.ts'
import { signDocument } from '../runtime/trust/keys.ts'
import { signRevocationList } from '../runtime/x509/crl.ts'
import { encodePem } from '../runtime/x509/pem.ts'
import { tlsChannel } from '../transport/tls.ts'
import type { TunnelEnd } from '../transport/tunnel/protocol.ts'
import { openTunnel } from '../transport/tunnel/tunnel.ts'
import { shown, tlsPair } from './tunnels-fixture.ts'
import { authority, day, holder, idOf, keys, now, random, type Holder } from './runtime/x509-fixture.ts'

const HOSTS = 1_000
/** Of the processor, in one go. */
const HOLD_MS_MAX = 50
const CUT_MS = 5_000

const root = await authority('root')
const intermediate = await authority('intermediate', root)
const owner = keys.generate(random)
const hostKey = await keys.certificates.generate('ec-p256', random)
const certified = (host: string, role: string): Promise<Holder> => holder(host, intermediate, {
  key: hostKey, extensions: {
    keyUsage: ['digitalSignature'], extendedKeyUsage: ['serverAuth', 'clientAuth'],
    names: [{ type: 'uri', value: `spiffe://a.zone/${role}/${host}` }],
  },
})
const pemOf = ({ certificate }: Holder): string => encodePem('CERTIFICATE', certificate.raw)

/** What the vault and `kv://` say. */
function zone() {
  const stored = new Map<string, string>()
  const revoked: { serial: Uint8Array; at: number }[] = []
  const asked = { hosts: 0, keys: 0 }
  const listBy = ({ key, certificate }: Holder, serials: typeof revoked): string =>
    encodePem('X509 CRL', signRevocationList({
      issuer: certificate.subject, authorityKeyId: idOf(key), number: serials.length + 1, thisUpdate: now - day,
      nextUpdate: now + day, revoked: serials,
    }, key))
  const ofRoot = listBy(root, [])
  let ofHosts = listBy(intermediate, revoked)
  const vault = {
    authorities: async () => [root, intermediate].map((one, index) =>
      ({ kind: index === 0 ? 'root' : 'intermediate', state: 'active', pem: pemOf(one) })),
    crl: async () => [{ pem: ofRoot }, { pem: ofHosts }],
    async joinedHost() {
      asked.hosts++
      return { revoked: false }
    },
  }
  const systemConfig = {
    async get({ key }: { key: string }) {
      asked.keys++
      const value = stored.get(key)
      return value === undefined ? null : { value, revision: 1 }
    },
  }
  stored.set(kv.bootConfig, JSON.stringify({
    zone: 'a.zone', root: owner.public.jwk, verifyHub: [owner.public.jwk], epoch: 0,
  }))
  return {
    vault, systemConfig, stored, asked,
    digest: () => digestOfItems(keys, [...stored].filter(([key]) => key.startsWith('devices/'))),
    revoke(serial: Uint8Array) {
      revoked.push({ serial, at: now })
      ofHosts = listBy(intermediate, revoked)
    },
  }
}

/** The longest that this thread was busy in one go while `work` ran, in milliseconds of processor time. */
async function heldDuring(work: () => Promise<void>): Promise<number> {
  let longest = 0
  let over = false
  const spent = (): number => {
    const { user, system } = process.cpuUsage()
    return (user + system) / 1_000
  }
  const looking = (async () => {
    for (let before = spent(); !over;) {
      await new Promise<void>((resolve) => { setTimeout(resolve, 0) })
      const after = spent()
      longest = Math.max(longest, after - before)
      before = after
    }
  })()
  await work()
  over = true
  await looking
  return longest
}
const eventually = async (what: string, holds: () => boolean, msMax: number): Promise<void> => {
  for (const began = clock.monotonic(); !holds();) {
    if (clock.monotonic() - began > msMax) throw new Error(`Not in time: ${what}`)
    await new Promise<void>((resolve) => { setTimeout(resolve, 10) })
  }
}

test('a thousand tunnels are judged when something has changed, nobody else waits, and else they rest',
  async () => {
    const { vault, systemConfig, stored, asked, digest, revoke } = zone()
    const stopping = new AbortController()
    const start = {
      clock, random, keys, stopping: stopping.signal, denials: createDenialLog({ random, clock }),
      log: { info() {}, warn() {}, error() {} }, count() {}, gauge() {},
      self: { zone: 'a.zone', host: 'ood1', actor: 'enrolment', runtimeType: '', incarnation: 1, linkKid: '' },
    } as unknown as ActorStart
    const trust = await openTrust({
      zone: 'a.zone', clock, keys, vault: vault as never, onRoots() {}, warn() {},
    })
    const ood = shown(await certified('ood1', 'ood'))
    const tunnels = createTunnels({
      start, trust, certificate: () => ood, placed: async () => [],
      admission: createAdmission({
        start, trust, systemConfig: systemConfig as never, token: () => 't', enforcer: {} as never,
        serving: async () => false,
      }),
      telling: { toOne: async () => {}, toAll: async () => {} }, sight: { blind: false, run: async () => {} },
      http: { open: () => Promise.reject(new Unavailable('no HTTP here')), recheck: async () => {} },
      news: async () => `${trust.version} ${digest()}`,
    })
    const ends = new Map<string, TunnelEnd>()
    const closed = new Map<string, string>()
    const serials = new Map<string, Uint8Array>()
    const dial = async (index: number): Promise<void> => {
      const host = `n${index}`
      const { certificate } = await certified(host, 'node')
      serials.set(host, certificate.serial)
      stored.set(kv.device(host), signDocument(owner, deviceDocumentType, {
        zone: 'a.zone', name: host, role: 'node', key: owner.public.jwk, owner: 'alice', iat: 1,
      }))
      const address = `10.0.${index >> 8}.${index & 255}`
      const [here, there] = tlsPair(clock, address, certificate.raw, hostKey.public.spki, [])
      tunnels.take(there)
      const end = await openTunnel({
        channel: tlsChannel(here, { clock }), role: 'dialer', clock, random, hello: { zone: 'a.zone', host },
        onHello: async () => {}, onTell: async () => {}, onRenew: async () => {},
        onOpen: async () => { throw new Unavailable('nothing is here') },
      })
      void end.closed.then((reason) => closed.set(host, reason))
      ends.set(host, end)
    }
    for (let index = 0; index < HOSTS; index += 20) {
      await Promise.all(Array.from({ length: 20 }, (_, more) => dial(index + more)))
    }
    await eventually('all are held', () => tunnels.hosts().length === HOSTS, 5_000)
    const running = tunnels.run()

    // Each was judged by its first look
    await eventually('the first look', () => asked.keys >= 6 * HOSTS, 30_000)
    await new Promise<void>((resolve) => { setTimeout(resolve, limits.tunnelRecheckMs) })
    const before = { ...asked }
    await new Promise<void>((resolve) => { setTimeout(resolve, 2 * limits.tunnelRecheckMs) })
    assert.equal(asked, before, 'while nothing has changed nobody is asked')

    stored.delete(kv.device('n7'))
    revoke(serials.get('n8')!)
    let cutMs = 0
    const began = clock.monotonic()
    const held = await heldDuring(async () => {
      await eventually('both are cut', () => closed.has('n7') && closed.has('n8'), 30_000)
      cutMs = clock.monotonic() - began
      await eventually('all are judged', () => asked.keys >= before.keys + 2 * (HOSTS - 2), 30_000)
    })
    assert.equal([...closed.keys()].sort(), ['n7', 'n8'])
    assert.match(closed.get('n8')!, /certificate|revoked|closed/)
    assert.ok(cutMs < CUT_MS, `${cutMs.toFixed(0)} ms until they were cut`)
    assert.ok(held <= HOLD_MS_MAX, `${held.toFixed(1)} ms in one go`)
    assert.is(tunnels.hosts().length, HOSTS - 2)
    stopping.abort()
    tunnels.close()
    for (const end of ends.values()) end.close('over')
    await running
  })

test.run()
