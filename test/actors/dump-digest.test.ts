/** What the digest of a dump costs, and that it is never of anything but one state. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { digestOfItems } from '../../actors/records.ts'
import { dumpDigests } from '../../actors/system-config/dump-digest.ts'
import { limits } from '../../runtime/limits.ts'
import { createCrypto } from '../../runtime/platform/crypto.ts'

const keys = await createCrypto()

/** Records as they are in a store, which says what was asked of it. */
function stored(count: number) {
  const state = new Map<string, { value: string; revision: number }>()
  const asked: string[] = []
  let revision = 0
  const world = {
    asked,
    set: (key: string, value: string) => void state.set(key, { value, revision: ++revision }),
    delete: (key: string) => void (state.delete(key), revision++),
    /** Runs before the next `get` is answered. */
    meanwhile: () => {},
    items: () => [...state].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, item]) => ({ key, ...item })),
  }
  const digest = dumpDigests({
    revisions: async () => (asked.push('revisions'), { items: world.items(), revision }),
    list: async () => (asked.push('list'), { items: world.items(), revision }),
    async get(key) {
      asked.push(key)
      await null
      world.meanwhile()
      const found = state.get(key)
      return found && { key, ...found }
    },
  }, keys)
  for (let index = 0; index < count; index++) world.set(`k${index}`, `value ${index}`)
  const now = (): string => digestOfItems(keys, world.items().map(({ key, value }) => [key, value]))
  return { ...world, world, now, digest: async () => (await digest([], undefined)).digest }
}

test('of a dump in which little has changed that alone is read, and of any other all', async () => {
  const { set, asked, now, digest, ...world } = stored(100)
  assert.is(await digest(), now())
  assert.equal(asked.splice(0), ['revisions', 'list'])
  assert.is(await digest(), now())
  assert.equal(asked.splice(0), ['revisions'], 'nothing has changed')
  set('k7', 'another')
  set('new', 'one')
  world.delete('k8')
  assert.is(await digest(), now())
  assert.equal(asked.splice(0), ['revisions', 'k7', 'new'])
  for (let index = 0; index < limits.dumpDigestReads; index++) set(`k${index}`, 'once more')
  assert.is(await digest(), now())
  assert.is(asked.splice(0).length, 1 + limits.dumpDigestReads)
  for (let index = 0; index <= limits.dumpDigestReads; index++) set(`k${index}`, 'and again')
  assert.is(await digest(), now())
  assert.equal(asked.splice(0), ['revisions', 'list'])
})

test('what is written, or goes, while it is read makes it read all: the digest is of one state', async () => {
  for (const change of ['set', 'delete'] as const) {
    const { world, asked, now, digest } = stored(5)
    await digest()
    world.set('k1', 'a')
    world.set('k2', 'b')
    asked.length = 0
    let left = 1
    world.meanwhile = () => {
      if (left-- > 0) world[change]('k2', 'c')
    }
    assert.is(await digest(), now())
    assert.equal(asked.splice(0), ['revisions', 'k1', 'k2', 'list'], change)
  }
})

test.run()
