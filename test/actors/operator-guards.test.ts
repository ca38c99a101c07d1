/** What an operator may do is asked of system-config with the operator's own token, before anything is told or done. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createOperator } from '../../actors/node-daemon/operate.ts'
import { Denied } from '../../runtime/errors.ts'
import { createDenialLog } from '../../runtime/trust/denial.ts'
import { systemRandom as random } from '../../runtime/platform/random.ts'
import { testClock } from '../runtime/link-fixture.ts'
import { denied, peer } from './system-config-zone.ts'

const clock = testClock()
const host = { host: 'node1', state: 'running', actors: [] }
const line = { host: 'node1', actor: 'vault', at: 0, level: 'info', message: 'hidden', fields: {} }
const supervision = {
  hosts: async () => [host], kill: async () => ({}), migrate: async () => ({}), migration: async () => null,
  migrationPlan: async () => ({}), denial: async () => ({ host: 'node1', id: 'D-00000000' }),
  async *logs() { yield line },
}
const { krpc, krpcStream } = createOperator({
  needs: { supervision }, clock, random, denials: createDenialLog({ clock, random }),
  self: { host: 'ood1', zone: 'z1' },
} as never, () => 'session', async () => ({}))

/** Of somebody who may do what `may` says, by key. */
function caller(may: (key: string) => boolean) {
  const asked: string[] = []
  const check = async ({ key, act }: { key: string; act: string }): Promise<object> => {
    asked.push(`${act} ${key}`)
    if (may(key)) return {}
    throw new Denied('no', { reason: 'rbac/no-rule' })
  }
  const cx = {
    token: 'token', peer: peer('gateway'),
    principal: { sub: 'alice', appid: 'console', runtimeType: 'user', sudo: false },
    signal: new AbortController().signal, deadline: Infinity, systemConfig: { check },
  } as never
  const call = async (method: string, params: object) => krpc({ method, params }, cx)
  const first = async (params: object) => {
    for await (const item of krpcStream({ method: 'logs', params }, cx)) return item
    return undefined
  }
  return { asked, call, first }
}

test('who may nothing is told nothing, and does nothing', async () => {
  for (const [method, params, key] of [
    ['ps', { host: 'node1' }, 'read nodes/node1/state'], ['ps', {}, 'read nodes/node1/state'],
    ['kill', { host: 'node1' }, 'write nodes/node1/control'], ['explain', { id: 'D-00000000' }, 'read nodes/ood1/logs'],
    ['migrate', {}, 'write nodes/ood1/control'], ['migration', {}, 'read nodes/ood1/state'],
    ['migration_plan', {}, 'write nodes/ood1/control'],
  ] as const) {
    const { asked, call } = caller(() => false)
    assert.is(await denied(() => call(method, params)), 'rbac/no-rule')
    assert.equal(asked, [key])
  }
  const { first } = caller(() => false)
  assert.is(await denied(() => first({ host: 'node1' })), 'rbac/no-rule')
})

test('who may read the logs of this host is told no denial of another', async () => {
  const { call } = caller((key) => key === 'nodes/ood1/logs')
  assert.is(await denied(() => call('explain', { id: 'D-00000000' })), 'rbac/no-rule')
})

test('nobody is asked about a host that there is not, before it is known who asks', async () => {
  const { call } = caller(() => false)
  assert.is(await denied(() => call('ps', { host: 'nowhere' })), 'rbac/no-rule')
})

test.run()
