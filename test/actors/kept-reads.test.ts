/** What is kept open of entries that every request reads: never more than the store says now. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { barrierView, createBarrier } from '../../actors/vault/barrier.ts'
import { KeptReads } from '../../actors/vault/kept-reads.ts'
import { VaultDamaged, VaultSealed } from '../../actors/vault/protocol.ts'
import { systemRandom } from '../../runtime/platform/random.ts'
import { array, object, string, type Infer } from '../../runtime/protocol.ts'
import { failure, keys, newStore } from './vault-fixture.ts'

const Entry = object({ words: array(string()) })
const kept = (most = 8) => new KeptReads<Infer<typeof Entry>>(most)

function furnished() {
  const store = newStore()
  const aead = keys.aead(systemRandom.bytes(32))
  let isSealed = false
  const terms = {
    current: { term: 1, aead },
    aeadOf: (term: number) => {
      if (isSealed) throw new VaultSealed('The vault is sealed')
      return term === 1 ? aead : undefined
    },
  }
  const barrier = createBarrier({ store, random: systemRandom, terms })
  const write = (path: string, ...words: string[]) => barrier.commit([], [{ path, value: { words } }])
  return { store, barrier, write, seal: () => void (isSealed = true) }
}

test('an entry that nobody wrote is not opened twice, and one that was written is', async () => {
  const { barrier, write } = furnished()
  await write('a/x', 'one')
  const own = kept()
  const [first, second] = [await barrier.read('a/x', Entry, own), await barrier.read('a/x', Entry, own)]
  assert.is(first!.value, second!.value)
  // The same words, and another revision
  await write('a/x', 'one')
  const third = await barrier.read('a/x', Entry, own)
  assert.is(third!.revision, first!.revision + 1)
  assert.is.not(third!.value, first!.value)
  await write('a/x', 'two')
  assert.equal((await barrierView(barrier, 'a/').read('x', Entry, own))!.value.words, ['two'])
  await barrier.commit([], [{ path: 'a/x', value: undefined }])
  assert.is(await barrier.read('a/x', Entry, own), undefined)
})

test('what many have is changed by none of them', async () => {
  const { barrier, write } = furnished()
  await write('x', 'one')
  const { value } = (await barrier.read('x', Entry, kept()))!
  assert.throws(() => void (value.words = []), TypeError)
  assert.throws(() => value.words.push('two'), TypeError)
})

test('an entry that was changed or moved in the store is refused, whatever was opened before', async () => {
  const { store, barrier, write } = furnished()
  await write('x', 'one')
  await write('y', 'two')
  const own = kept()
  for (const path of ['x', 'y']) await barrier.read(path, Entry, own)
  const [x, y] = [(await store.get('x'))!.value, (await store.get('y'))!.value]
  await store.put('x', y)
  await failure(VaultDamaged, () => barrier.read('x', Entry, own))
  for (let at = 0; at < x.length; at++) {
    const changed = Uint8Array.from(x)
    changed[at]! ^= 1
    await store.put('x', changed)
    await failure(VaultDamaged, () => barrier.read('x', Entry, own))
  }
  await store.put('x', x)
  assert.equal((await barrier.read('x', Entry, own))!.value.words, ['one'])
})

test('a sealed vault gives nothing of what it had open', async () => {
  const { barrier, write, seal } = furnished()
  await write('x', 'one')
  const own = kept()
  await barrier.read('x', Entry, own)
  seal()
  await failure(VaultSealed, () => barrier.read('x', Entry, own))
})

test('only the newest are kept', async () => {
  const { barrier, write } = furnished()
  const own = kept(2)
  const read = async (path: string) => (await barrier.read(path, Entry, own))!.value
  for (const path of ['a', 'b', 'c']) await write(path, path)
  const [a, b, c] = [await read('a'), await read('b'), await read('c')]
  assert.is(await read('b'), b)
  assert.is(await read('c'), c)
  assert.is.not(await read('a'), a)
  assert.equal(await read('a'), { words: ['a'] })
})

test.run()
