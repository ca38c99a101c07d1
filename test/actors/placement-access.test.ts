/** Who may say that a host is lost, hear of it, and drain it. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createAccess, type Speaker } from '../../actors/rbac/access.ts'
import { kv, type NodeConfig } from '../../actors/records.ts'
import { Scheduler } from '../../actors/scheduler/protocol.ts'
import { ZonewrightError } from '../../runtime/errors.ts'
import { inLiveZone, type LiveZone } from './live-zone.ts'

test('the node monitor alone says which hosts are lost, and a node hears of itself', () => {
  const access = createAccess()
  void access.replace({ model: '', policy: '' })
  const may = (appid: string, runtimeType: string, act: 'read' | 'write', host: string, sub = 'n1'): boolean => {
    const speaker: Speaker = { appid, sub, runtimeType, sudo: false, root: false }
    return access.decide(speaker, act, kv.host(host)).allowed
  }
  assert.ok(may('node-monitor', 'kernel-service', 'write', 'n1', 'ood1'))
  for (const appid of ['scheduler', 'gateway', 'cert-manager', 'enrolment', 'node-daemon']) {
    assert.not(may(appid, 'kernel-service', 'write', 'n1', 'ood1'), appid)
  }
  assert.not(may('node-monitor', 'node', 'write', 'n1'), 'as a node it writes nothing')
  assert.ok(may('node-daemon', 'node', 'read', 'n1'))
  assert.not(may('node-daemon', 'node', 'read', 'n2'))
  assert.not(may('node-daemon', 'node', 'write', 'n1'))
  assert.not(may('notes', 'service', 'read', 'n1'))
})

const ask = async (live: LiveZone, method: string, host: string, token: string | undefined): Promise<string> => {
  try {
    const settings = token === undefined ? {} : { token }
    const { result } = await live.zone.get(Scheduler).krpc({ method, params: { host } }, settings)
    return (result as { state: string }).state
  } catch (error) {
    if (!(error instanceof ZonewrightError)) throw error
    return String(error.details['reason'] ?? error.code)
  }
}
const stateOf = async (live: LiveZone, host: string): Promise<string> =>
  (JSON.parse(await live.read(kv.node(host)) ?? '') as NodeConfig).state

test('who may operate a host drains it and takes that back, and nobody else', async () => {
  await inLiveZone(async (live) => {
    for (const method of ['drain', 'undrain']) {
      assert.is(await ask(live, method, 'node1', undefined), 'token/absent')
      assert.is(await ask(live, method, 'node1', await live.root('system-config')), 'token/audience')
      assert.is(await ask(live, method, 'node9', await live.root('scheduler')), 'NotFound')
    }
    assert.is(await ask(live, 'drain', 'node1', await live.root('scheduler')), 'draining')
    assert.is(await ask(live, 'drain', 'node1', await live.root('scheduler')), 'draining')
    assert.is(await stateOf(live, 'node1'), 'draining')
    assert.is(await ask(live, 'undrain', 'node1', await live.root('scheduler')), 'running')
    await live.setPath(kv.node('node1'), '/state', 'stopped')
    for (const method of ['drain', 'undrain']) {
      assert.is(await ask(live, method, 'node1', await live.root('scheduler')), 'InvalidArgument')
    }
    assert.is(await stateOf(live, 'node1'), 'stopped')
  }, {}, { nodes: 1 })
})

test('what stays on a host that is drained starts and logs in there again', async () => {
  await inLiveZone(async (live) => {
    assert.is(await ask(live, 'drain', 'ood1', await live.root('scheduler')), 'draining')
    await live.pause(1_000)
    for (const name of ['verify-hub', 'scheduler']) {
      await live.zone.kill(name)
      await live.pause(10_000)
      assert.is(live.state(name), 'serving', name)
    }
    assert.is(await ask(live, 'undrain', 'ood1', await live.root('scheduler')), 'running')
  })
})

test.run()
