import { createServer, type AddressInfo, type Socket } from 'node:net'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { limits } from '../../runtime/limits.ts'
import { systemClock as clock } from '../../runtime/platform/clock.ts'
import { systemRandom as random } from '../../runtime/platform/random.ts'
import { connectEtcd, openEtcdStore } from '../../runtime/store/etcd.ts'
import { Members } from '../../runtime/store/etcd/members.ts'
import type { Operation, Store } from '../../runtime/store/store.ts'
import { bytes, keysOf, plainErrors, rejects } from '../compliance/store/checks.ts'
import { manualClock } from '../actors/manual-clock.ts'
import { startEtcd, type EtcdServer } from '../runtime/etcd-server.ts'

let etcd: EtcdServer
const etcdSuite = suite('limits of etcd')
const test = (title: string, body: () => Promise<void>): void => etcdSuite(title, () => plainErrors(body))
etcdSuite.before(async () => { etcd = await startEtcd() })
etcdSuite.after(() => etcd.end())

const open = (endpoint: string): Promise<Store> =>
  openEtcdStore({ endpoints: [endpoint], prefix: '/zones/limits', clock, random })

test('a list of one page is whole, one entry more comes in two pages of one revision', async () => {
  const store = await open(etcd.endpoint)
  const key = (index: number): string => `k${String(index).padStart(4, '0')}`
  const put = (index: number): Operation => ({ type: 'put', key: key(index), value: bytes('1') })
  await store.transact([], Array.from({ length: limits.storePage }, (_, index) => put(index)))
  assert.is((await store.list('')).entries.length, limits.storePage)
  const last = await store.put(key(limits.storePage), bytes('1'))
  const whole = await store.list('')
  assert.equal(keysOf(whole.entries), Array.from({ length: limits.storePage + 1 }, (_, index) => key(index)))
  assert.equal([whole.revision, whole.more], [last, false])
  const page = await store.list('', { limit: limits.storePage })
  assert.equal([page.entries.length, page.more], [limits.storePage, true])
  await store.close()
})

test('an etcd that takes a call and never answers it is Unavailable when the time of a call is over', async () => {
  const sockets = new Set<Socket>()
  const silent = createServer((socket) => void sockets.add(socket.on('error', () => {})))
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
  const began = performance.now()
  await rejects(open(`http://127.0.0.1:${(silent.address() as AddressInfo).port}`), 'Unavailable')
  const ms = performance.now() - began
  assert.ok(ms >= limits.storeCallMs - 100 && ms < 3 * limits.storeCallMs, `${ms} ms`)
  for (const socket of sockets) socket.destroy()
  await new Promise((resolve) => silent.close(resolve))
})

test('a member that did not answer is left alone as long as the limit, then one call at a time tries it', async () => {
  const manual = manualClock()
  const members = new Members(['one', 'two'], manual)
  const [one, two] = ['one', 'two'].map((host) => members.policy(host).execute.bind(members.policy(host)))
  const silent = (): never => { throw new Error('14 UNAVAILABLE: nobody there') }
  const outcomes = async (run: () => unknown): Promise<string> =>
    one!(run as never).then(() => 'done', (error: Error) => error.message)
  await two!((() => 'well') as never)
  assert.match(await outcomes(silent), /UNAVAILABLE/)
  await manual.advance(limits.etcdAloneMs - 1)
  assert.match(await outcomes(() => 'well'), /is left alone/)
  await manual.advance(1)
  let answer: () => void
  const trying = outcomes(() => new Promise<void>((resolve) => { answer = resolve }))
  assert.match(await outcomes(() => 'well'), /is left alone/)
  answer!()
  assert.is(await trying, 'done')
  assert.is(await outcomes(() => 'well'), 'done')
})

test('a member that is silent costs a read as long as the limit, then another one is asked', async () => {
  const sockets = new Set<Socket>()
  const silent = createServer((socket) => void sockets.add(socket.on('error', () => {})))
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
  const nobody = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`
  const longest: number[] = []
  // Which member is taken first is drawn
  for (let round = 0; round < 12 && Math.max(0, ...longest) < limits.etcdTryMs; round++) {
    const { area } = connectEtcd({ endpoints: [nobody, etcd.endpoint], prefix: '/tries', clock })
    const began = performance.now()
    await area.read([{ from: 'id' }])
    longest.push(performance.now() - began + 5)
    await area.close()
  }
  assert.ok(Math.max(...longest) > limits.etcdTryMs && Math.max(...longest) < 2 * limits.etcdTryMs, longest.join(' '))
  for (const socket of sockets) socket.destroy()
  await new Promise((resolve) => silent.close(resolve))
})

etcdSuite.run()
