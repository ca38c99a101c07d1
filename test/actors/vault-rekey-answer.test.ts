/** New shares are told by one answer: whatever becomes of it, somebody has those that open the vault. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { unkept } from '../../actors/vault/audit/audit.ts'
import { createCore } from '../../actors/vault/core.ts'
import { keyringPath } from '../../actors/vault/keyring.ts'
import { createSealLife } from '../../actors/vault/seal/life.ts'
import { Rekey } from '../../actors/vault/seal/rekey.ts'
import { unseal } from '../../actors/vault/unseal.ts'
import { Unavailable } from '../../runtime/errors.ts'
import { systemClock } from '../../runtime/platform/clock.ts'
import { systemRandom } from '../../runtime/platform/random.ts'
import type { Operation, Store } from '../../runtime/store/store.ts'
import { failure, keys, newStore } from './vault-fixture.ts'

type Transact = Store['transact']

const isRekey = (operations: readonly Operation[]): boolean => operations.some(({ key }) => key === keyringPath)

/** The same store, whose transactions go through `by` from when it is set. */
function watched(store: Store) {
  const given = {
    by: undefined as ((...given: Parameters<Transact>) => ReturnType<Transact>) | undefined,
    store: new Proxy(store, {
      get(target, name) {
        if (name === 'transact') return given.by ?? target.transact.bind(target)
        const value: unknown = Reflect.get(target, name)
        return typeof value === 'function' ? value.bind(target) as unknown : value
      },
    }),
  }
  return given
}

/** An open vault that only shares open, with a rekey that lacks one share. */
async function aboutToRekey() {
  const inner = newStore()
  const given = watched(inner)
  const ports = { store: given.store, keys, random: systemRandom, clock: systemClock }
  const core = createCore({ ports, audit: unkept, reopen: () => unseal(ports, {}) })
  const life = createSealLife({ core, audit: unkept, secrets: {}, booted: false, onChange() {} })
  const old = await life.initialise({ shares: 3, threshold: 2 })
  const copies = old.map((share) => Uint8Array.from(share))
  for (const share of old.slice(0, 2)) await life.unsealBy(share)
  const rekey = new Rekey(core, unkept, {})
  const { nonce } = await rekey.begin({ shares: 3, threshold: 2, verify: false })
  await rekey.offer(nonce, Uint8Array.from(copies[0]!))
  const last = () => rekey.offer(nonce, Uint8Array.from(copies[1]!))
  const opens = async (shares: readonly Uint8Array[]): Promise<boolean> => {
    await life.seal()
    given.by = undefined
    for (const share of shares.slice(0, 2)) await life.unsealBy(Uint8Array.from(share)).catch(() => {})
    return core.unsealed !== undefined
  }
  return { given, inner, life, old: copies, last, opens }
}

test('who seals the vault while new shares come into force loses no shares', async () => {
  const { given, inner, life, last, opens } = await aboutToRekey()
  given.by = async (compare, operations) => {
    const done = await inner.transact(compare, operations)
    if (isRekey(operations)) await life.seal()
    return done
  }
  const step = await last()
  assert.ok(step.complete && await opens(step.shares))
})

test('new shares whose transaction is answered by nobody are told when they are in force', async () => {
  const { given, inner, last, opens } = await aboutToRekey()
  given.by = async (compare, operations) => {
    const done = await inner.transact(compare, operations)
    if (isRekey(operations)) throw new Unavailable('the answer was lost')
    return done
  }
  const step = await last()
  assert.ok(step.complete && await opens(step.shares))
})

test('a rekey that was not done, and is answered by nobody, is not done later: the old shares are good', async () => {
  const { given, inner, last, old, opens } = await aboutToRekey()
  let late: (() => ReturnType<Transact>) | undefined
  given.by = async (compare, operations) => {
    if (!isRekey(operations)) return inner.transact(compare, operations)
    late = () => inner.transact(compare, operations)
    throw new Unavailable('the request is on its way')
  }
  await failure(Unavailable, last)
  assert.is((await late!()).succeeded, false)
  assert.ok(await opens(old))
})

test.run()
