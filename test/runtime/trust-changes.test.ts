/** What is told of other hosts crosses to workers as what has changed, and arrives as the whole. */
import * as Comlink from 'comlink'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { remoteControl, type ExposedControl } from '../../runtime/platform/comlink.ts'
import { trustChanges, trustOf } from '../../runtime/platform/trust-changes.ts'
import type { TrustedDevice } from '../../runtime/worker.ts'

type Device = TrustedDevice
const device = (host: string, x: string, role: Device['role'] = 'node'): Device =>
  ({ host, role, jwk: { kty: 'OKP', crv: 'Ed25519', x } })

test('only what has changed is told: who came, who went, who has another key or role', () => {
  const first = [device('a', '1'), device('b', '2'), device('c', '3')]
  const all = trustChanges(undefined, first)
  assert.equal(all, { anew: true, put: first, gone: [] })
  const next = [device('a', '1'), device('b', '9'), device('c', '3', 'ood'), device('d', '4')]
  const changes = trustChanges(first, next)
  assert.equal([changes.put.map(({ host }) => host), changes.gone], [['b', 'c', 'd'], []])
  assert.is(trustChanges(first, next), changes, 'for all workers it is found out once')
  assert.equal(trustChanges(next, first), { anew: false, put: first.slice(1), gone: ['d'] })
})

test('whatever the lists, the other end has them as they are', async () => {
  const heard: (readonly Device[])[] = []
  const hear = trustOf(async (devices) => void heard.push(devices))
  const byName = (devices: readonly Device[]) =>
    [...devices].sort((left, right) => (left.host < right.host ? -1 : 1))
  let state = 1
  const below = (most: number): number => (state = state * 48_271 % 2_147_483_647) % most
  let before: readonly Device[] | undefined
  for (let round = 0; round < 300; round++) {
    const list = Array.from({ length: 12 }, (_, at) => device(`h${at}`, `${below(2)}`, below(2) ? 'ood' : 'node'))
      .filter(() => below(3) > 0)
    const wire = structuredClone(trustChanges(before, list))
    await hear(wire)
    assert.equal(byName(heard.at(-1)!), byName(list), `round ${round}`)
    before = list
  }
})

test('of a host that is listed twice the last counts, as in a whole list', async () => {
  let heard: readonly Device[] = []
  const hear = trustOf(async (devices) => { heard = devices })
  const twice = () => [device('a', 'old'), device('b', '1'), device('a', 'new')]
  let before: readonly Device[] | undefined
  for (let round = 0; round < 3; round++) {
    const list = twice()
    await hear(trustChanges(before, list))
    assert.is(heard.find(({ host }) => host === 'a')?.jwk.x, 'new', `round ${round}`)
    before = list
  }
  const [first, , last] = twice()
  await hear(trustChanges(before, [last!, first!]))
  assert.equal(heard, [device('a', 'old')])
})

test('after changes that did not arrive a worker is told all', async () => {
  const { port1, port2 } = new MessageChannel()
  let [heard, told]: [readonly Device[], number] = [[], 0]
  const hear = trustOf(async (devices) => { heard = devices })
  Comlink.expose({
    async trustChanges(changes) {
      if (++told === 2) throw new Error('They are lost')
      await hear(changes)
    },
  } satisfies Pick<ExposedControl, 'trustChanges'>, port2)
  const { control, release } = remoteControl(Comlink.wrap<ExposedControl>(port1), () => {})
  const [first, second, third] = ['1', '2', '3'].map((x) => device(`h${x}`, x)) as [Device, Device, Device]
  await control.trust([first, second])
  const error = await control.trust([first]).then(() => undefined, (thrown: Error) => thrown)
  assert.match(error?.message ?? '', /They are lost/)
  assert.equal(heard, [first, second])
  await control.trust([first, third])
  assert.equal(heard, [first, third], 'who was to go is gone')
  release()
})

test.run()
