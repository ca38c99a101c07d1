/** What was just registered is written before either side is looked at, and nothing is believed of it after that. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { countingOf } from '../../actors/enrolment/counting.ts'
import { openRegistrations } from '../../actors/enrolment/registrations.ts'
import { kv } from '../../actors/records.ts'
import { JoinRefused } from '../../actors/vault/protocol.ts'
import { limits } from '../../runtime/limits.ts'
import { registering } from './registration-fixture.ts'

type Config = Parameters<typeof openRegistrations>[0]['systemConfig']

test('it is written at once, and looked at once', async () => {
  const { open, joined, document } = await registering()
  const done: string[] = []
  const registrations = await open((config) => ({
    ...config,
    get: (of, settings) => (done.push(`get ${of.key}`), config.get(of, settings)),
    execTx: (of, settings) => (done.push('write'), config.execTx(of, settings)),
  }))
  const there = await registrations.demandFree('node1')
  const text = await joined(registrations, 'node1')
  done.length = 0
  assert.is(await registrations.settle('node1', { document: text, there }), text)
  assert.equal(done, ['write', `get ${kv.device('node1')}`])
  assert.is(await document('node1'), text)
  const again = await registrations.demandFree('node1')
  assert.is(again?.value, text)
  done.length = 0
  assert.is(await registrations.settle('node1', { document: text, there: again }), text)
  assert.equal(done, [`get ${kv.device('node1')}`], 'a retry writes nothing')
})

test('who was revoked meanwhile is not there afterwards, nor told that it is', async () => {
  const { open, joined, document, vault } = await registering()
  const before = await open()
  const first = { document: await joined(before, 'node1'), there: await before.demandFree('node1') }
  await vault.hosts.revoke('node1', 'owner')
  assert.is(await before.settle('node1', first), undefined)
  assert.is(await document('node1'), undefined)

  const second = { document: await joined(before, 'node2'), there: undefined }
  const during = await open((config) => ({
    ...config,
    async execTx(...args: Parameters<Config['execTx']>) {
      const done = await config.execTx(...args)
      await vault.hosts.revoke('node2', 'owner').catch(() => {})
      return done
    },
  }))
  assert.is(await during.settle('node2', second), undefined)
  assert.is(await document('node2'), undefined)
})

test('what lies there by now is found, and what the owner signed meanwhile stays', async () => {
  const { open, joined, document, root, zone } = await registering()
  const registrations = await open()
  const text = await joined(registrations, 'node1')
  assert.is(await registrations.settle('node1'), text)
  assert.is(await registrations.settle('node1', { document: text, there: undefined }), text, 'another was faster')
  const other = await joined(registrations, 'node2')
  const owners = zone.env['BUCKYOS_THIS_DEVICE']!
  await root().set({ key: kv.device('node2'), value: owners })
  let failed: unknown
  const late = registrations.settle('node2', { document: other, there: undefined })
  await late.catch((error: unknown) => { failed = error })
  assert.instance(failed, JoinRefused)
  assert.is(await document('node2'), owners)
})

test('what is not of this host, or does not stand by this OOD, is not written for it', async () => {
  const { open, joined, document } = await registering()
  const registrations = await open()
  const [one, two] = [await joined(registrations, 'node1'), await joined(registrations, 'node2')]
  assert.is(await registrations.settle('node1', { document: two, there: undefined }), one)
  assert.is(await registrations.settle('node2', { document: 'x', there: undefined }), two)
  assert.equal([await document('node1'), await document('node2')], [one, two])
})

test('what the vault was asked about a host counts for its certificates as well, for the same time', async () => {
  let [now, asks] = [0, 0]
  let serials = ['01']
  const joinedHost = async ({ host }: { host: string }) => {
    asks++
    return { host, role: 'node' as const, device: 'd', serial: '01', serials, token: 't', joinedAt: 0 }
  }
  const counting = countingOf({ clock: { monotonic: () => now }, vault: { joinedHost } })
  await counting.noting('node1', joinedHost({ host: 'node1' }))
  assert.is(await counting.faultOf('node1', 'node', '01'), undefined)
  assert.is(asks, 1)
  assert.is(await counting.faultOf('node1', 'node', '02'), 'superseded', 'of one that is not named it is asked')
  assert.is(asks, 2)
  now += limits.enrolmentCrlMs
  serials = ['02']
  assert.is(await counting.faultOf('node1', 'node', '01'), 'superseded', 'and after a while')

  let answer = (): void => {}
  const slow = counting.noting('node1', new Promise((resolve) => {
    answer = () => resolve({
      host: 'node1', role: 'node', device: 'd', serial: '01', serials: ['01'], token: 't', joinedAt: 0,
    })
  }))
  now++
  await counting.noting('node1', joinedHost({ host: 'node1' }))
  answer()
  await slow
  const before = asks
  assert.is(await counting.faultOf('node1', 'node', '02'), undefined, 'an answer that is older changes nothing')
  assert.is(asks, before)
})

test.run()
