/** What is told of other hosts crosses to workers as what has changed, and arrives as the whole. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { trustChanges, trustOf } from '../../runtime/platform/trust-changes.ts'
import type { TrustedDevice } from '../../runtime/worker.ts'

const device = (host: string, x: string, role: TrustedDevice['role'] = 'node'): TrustedDevice =>
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
  const heard: (readonly TrustedDevice[])[] = []
  const hear = trustOf(async (devices) => void heard.push(devices))
  const byName = (devices: readonly TrustedDevice[]) =>
    [...devices].sort((left, right) => (left.host < right.host ? -1 : 1))
  let state = 1
  const below = (most: number): number => (state = state * 48_271 % 2_147_483_647) % most
  let before: readonly TrustedDevice[] | undefined
  for (let round = 0; round < 300; round++) {
    const list = Array.from({ length: 12 }, (_, at) => device(`h${at}`, `${below(2)}`, below(2) ? 'ood' : 'node'))
      .filter(() => below(3) > 0)
    const wire = structuredClone(trustChanges(before, list))
    await hear(wire)
    assert.equal(byName(heard.at(-1)!), byName(list), `round ${round}`)
    before = list
  }
})

test.run()
