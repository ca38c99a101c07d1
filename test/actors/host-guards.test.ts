/** What the daemon of a host gives to whom, and what a first boot is held to: each guard alone. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import daemonActor from '../../actors/node-daemon/ood.ts'
import { environmentOf } from '../../actors/node-daemon/environment.ts'
import type { NodeDaemon } from '../../actors/node-daemon/protocol.ts'
import { kv, type ServiceSpec } from '../../actors/records.ts'
import bootScheduler from '../../actors/scheduler/boot-actor.ts'
import { zoneDocumentType } from '../../actors/zone-document.ts'
import type { Handlers, Lifecycle, Peer } from '../../runtime/actor.ts'
import { StartFailed } from '../../runtime/errors.ts'
import { createDenialLog } from '../../runtime/trust/denial.ts'
import { signDocument } from '../../runtime/trust/keys.ts'
import { testClock } from '../runtime/link-fixture.ts'
import { crypto, denied, failure, peer, testZone } from './system-config-zone.ts'
import { systemRandom as random } from '../../runtime/platform/random.ts'

const photos: ServiceSpec = {
  name: 'photos', appid: 'photos', owner: null, runtimeType: 'service', kernel: false, audiences: [],
  run: { command: ['/bin/photos'], env: { COLOUR: 'red', ZONEWRIGHT_HOST: 'other', BUCKYOS_LATER: 'x' } },
}
const device = crypto.generate(random)
const self = { zone: 'z1', host: 'ood1', actor: 'node-daemon', runtimeType: 'ood', incarnation: 1, linkKid: 'own' }

function startOf(secrets: Record<string, string>) {
  const clock = testClock()
  const get = async ({ key }: { key: string }) =>
    key === kv.spec('photos') ? { value: JSON.stringify(photos), revision: 1 } : null
  return {
    needs: { supervision: {}, systemConfig: { get } }, clock, random, keys: crypto, env: {}, secrets, self,
    log: { info() {}, warn() {}, error() {} }, stopping: new AbortController().signal, background() {},
    denials: createDenialLog({ clock, random }),
  } as never
}

const started = async (): Promise<{ handlers: Handlers<typeof NodeDaemon>; lifecycle: Lifecycle }> =>
  await daemonActor.start(startOf({ 'device-key': device.exportPem() })) as never
const as = (from: Peer) => ({ peer: from }) as never

test('a daemon without the device key does not start', async () => {
  await failure(StartFailed, async () => daemonActor.start(startOf({})))
})

test('a login token is for a service of this host that there is', async () => {
  const { handlers } = await started()
  const login = async (from: Peer) => handlers.loginToken({}, as(from))
  assert.ok((await login(peer('photos'))).jwt)
  assert.is(await denied(() => login(peer('photos', { host: 'node1' }))), 'login/app')
  assert.is(await denied(() => login(peer('nobody'))), 'login/app')
})

test('an environment, with its tokens, is for the supervisor of this host', async () => {
  const { handlers } = await started()
  const environment = async (from: Peer) => handlers.environment({ name: 'photos' }, as(from))
  assert.ok((await environment(peer('supervisor')))['PHOTOS_SESSION_TOKEN'])
  assert.is(await denied(() => environment(peer('photos'))), 'link/not-admitted')
  assert.is(await denied(() => environment(peer('supervisor', { host: 'node1' }))), 'link/not-admitted')
})

test('a certificate of the enrolment key, and the program that is asked, are for enrolment of this host', async () => {
  const { handlers } = await started()
  const key = device.public.jwk
  const certify = async (from: Peer) => handlers.certifyEnrolment({ key }, as(from))
  const enrolment = peer('enrolment', { runtimeType: 'kernel-service' })
  assert.ok((await certify(enrolment)).certificate)
  const others = [
    peer('enrolment'), peer('gateway', { runtimeType: 'kernel-service' }), { ...enrolment, host: 'ood2' },
  ]
  for (const from of others) {
    assert.is(await denied(() => certify(from)), 'link/not-admitted')
    assert.is(await denied(async () => handlers.joinHook({ question: '{}' }, as(from))), 'link/not-admitted')
  }
})

test('the daemon is linked to actors of its own host', async () => {
  const { lifecycle } = await started()
  const admitted = (from: Peer): boolean => lifecycle.admit!(from, 'sealed')
  assert.equal([admitted(peer('photos')), admitted(peer('photos', { host: 'node1' }))], [true, false])
})

test('a spec sets no name that the zone documents', async () => {
  const env = await environmentOf(photos, {
    zone: 'z1', host: 'ood1', device: undefined, read: async () => null, login: () => 'token',
  })
  assert.equal([env['COLOUR'], env['ZONEWRIGHT_HOST'], env['BUCKYOS_LATER']], ['red', 'ood1', undefined])
})

const zone = testZone()
const bootStart = async (env: Record<string, string>) => bootScheduler.start({
  env: { ...zone.env, SCHEDULER_SESSION_TOKEN: zone.tokens.boot(), ...env }, keys: crypto, needs: {}, step() {},
  self: { ...self, actor: 'boot-scheduler' },
} as never) as unknown as { lifecycle: Lifecycle }
const documentBy = (by: typeof device, change: object = {}): Record<string, string> => ({
  BUCKYOS_ZONE_DOC: signDocument(by, zoneDocumentType, {
    zone: 'z1', owner: 'alice', root: zone.owner.public.jwk, host: 'ood1', epoch: 0, iat: 1, ...change,
  }),
})

test('the boot scheduler starts with a zone document of this zone that the owner key signed', async () => {
  await bootStart({})
  assert.match((await failure(StartFailed, () => bootStart(documentBy(device)))).message, /wrong BUCKYOS_ZONE_DOC/)
  const other = documentBy(zone.owner, { zone: 'z2' })
  assert.match((await failure(StartFailed, () => bootStart(other))).message, /of another zone/)
})

test('the boot scheduler is linked to the supervisor of this host', async () => {
  const { lifecycle } = await bootStart({})
  const admitted = (from: Peer): boolean => lifecycle.admit!(from, 'sealed')
  const others = [peer('photos'), peer('supervisor', { host: 'node1' })]
  assert.equal([peer('supervisor'), ...others].map(admitted), [true, false, false])
})

test.run()
