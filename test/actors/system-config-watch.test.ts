import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { digestOfItems } from '../../actors/records.ts'
import { follow } from '../../actors/system-config/watch.ts'
import { Compacted, Denied, InvalidArgument, WatchOverrun, type ZonewrightError } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import { createCrypto } from '../../runtime/platform/crypto.ts'
import { failure, rooted, take, type Change } from './system-config-zone.ts'

const keys = await createCrypto()

test('ten thousand keys are listed, dumped and watched', async () => {
  const { kv } = await rooted()
  const start = (await kv.set({ key: 'many', value: '' })).revision
  const name = (index: number): string => `k${String(index).padStart(5, '0')}`
  for (let batch = 0; batch < 10; batch++) {
    const actions = Object.fromEntries(Array.from({ length: 1_000 }, (_, index) =>
      [`many/${name(batch * 1_000 + index)}`, { action: 'create' as const, value: 'v' }]))
    await kv.execTx({ actions })
  }
  const names = Array.from({ length: 10_000 }, (_, index) => name(index))
  assert.equal(await kv.list({ key: 'many' }), names)
  assert.equal((await kv.dump({ prefixes: ['many/'] })).items.map(({ key }) => key), names.map((one) => `many/${one}`))
  const seen = await take(kv.watch({ prefix: 'many/', after: start }), 10_000)
  assert.equal(seen.map(({ key }) => key), names.map((one) => `many/${one}`))
})

test('a dump of several prefixes is true at one revision while others write', async () => {
  const { kv } = await rooted()
  await kv.execTx({ actions: { 'x/n': { action: 'create', value: '0' }, 'y/n': { action: 'create', value: '0' } } })
  const writer = (async () => {
    for (let round = 1; round <= 50; round++) {
      const value = String(round)
      await kv.execTx({ actions: { 'x/n': { action: 'update', value }, 'y/n': { action: 'update', value } } })
    }
  })()
  for (let round = 0; round < 50; round++) {
    const { items, revision } = await kv.dump({ prefixes: ['y', 'x', 'x/n'] })
    assert.equal(items.map(({ key }) => key), ['x/n', 'y/n'])
    assert.is(items[0]!.value, items[1]!.value)
    assert.is(items[0]!.revision, items[1]!.revision)
    assert.ok(items[0]!.revision <= revision)
  }
  await writer
  await failure(InvalidArgument, () => kv.dump({ prefixes: [] }))
  const prefixes = Array.from({ length: limits.dumpPrefixes + 1 }, () => 'x/n')
  assert.match((await failure(InvalidArgument, () => kv.dump({ prefixes }))).message, /at most 64 prefixes: 65/)
  assert.is((await kv.dump({ prefixes: prefixes.slice(1) })).items.length, 1)
})

test('a dump in pages has every key once, each page within its limit, and says when it was the last', async () => {
  const { kv } = await rooted()
  const value = 'v'.repeat(limits.dumpPage / 4)
  const names = Array.from({ length: 11 }, (_, index) => `pages/k${String(index).padStart(2, '0')}`)
  for (const key of names) await kv.set({ key, value: key === names[5] ? value.repeat(3) : value })
  const seen: string[] = []
  for (let after = '', more: boolean | undefined = true; more; after = seen.at(-1)!) {
    const page = await kv.dump({ prefixes: ['pages/'], page: { after } })
    const characters = page.items.reduce((sum, item) => sum + item.key.length + item.value.length, 0)
    assert.ok(page.items.length === 1 || characters <= limits.dumpPage, `${characters} characters`)
    assert.ok(page.items.length > 0)
    seen.push(...page.items.map(({ key }) => key))
    more = page.more
  }
  assert.equal(seen, names)
  assert.equal(await kv.dump({ prefixes: ['pages/'], page: { after: names.at(-1)! } }).then(({ items, more }) =>
    ({ items, more })), { items: [], more: false })
  const whole = await kv.dump({ prefixes: ['pages/'] })
  assert.is(whole.more, undefined)
  assert.is(whole.items.length, 11)
})

test('who asks for last segments gets no other keys, of a dump as of a watch', async () => {
  const { kv } = await rooted()
  const keys = ['s/a/spec', 's/a/instances/h', 's/b/info', 's/spec', 's/b/spec']
  for (const key of keys) await kv.set({ key, value: key })
  const wanted = ['s/a/spec', 's/spec', 's/b/spec']
  const { items } = await kv.dump({ prefixes: ['s/'], leaves: ['spec'] })
  assert.equal(items.map(({ key }) => key), [...wanted].sort())
  const seen = await take(kv.watch({ prefix: 's/', after: 0, leaves: ['spec'] }), 3)
  assert.equal(seen.map(({ key }) => key), wanted)
  assert.equal(seen.map(({ value }) => value), wanted)
})

test('the digest of a dump is that of its items, and another one after any change of them', async () => {
  const { kv } = await rooted()
  const asked = { prefixes: ['s/'], leaves: ['doc'] }
  const digest = async (): Promise<string> => {
    const { items } = await kv.dump(asked)
    const { digest: told } = await kv.dumpDigest(asked)
    assert.is(told, digestOfItems(keys, items.map(({ key, value }) => [key, value])))
    return told
  }
  for (const key of ['s/a/doc', 's/b/doc', 's/b/info']) await kv.set({ key, value: key })
  const first = await digest()
  await kv.set({ key: 's/b/info', value: 'not asked for' })
  await kv.set({ key: 't/a/doc', value: 'elsewhere' })
  assert.is(await digest(), first)
  const seen = new Set([first])
  for (const change of [
    () => kv.set({ key: 's/b/doc', value: 'other' }), () => kv.delete({ key: 's/a/doc' }),
    () => kv.create({ key: 's/c/doc', value: 's/a/doc' }), () => kv.delete({ key: 's/b/doc' }),
    () => kv.delete({ key: 's/c/doc' }),
  ]) {
    await change()
    seen.add(await digest())
  }
  assert.is(seen.size, 6)
  await kv.execTx({ actions: {
    's/a/doc': { action: 'create', value: 's/a/doc' }, 's/b/doc': { action: 'create', value: 's/b/doc' },
  } })
  assert.is(await digest(), first)
})

test('a thousand watches of one folder see every write, once and in order', async () => {
  const { kv } = await rooted()
  const start = (await kv.set({ key: 'fan', value: '' })).revision
  const views = Array.from({ length: 1_000 }, () => take(kv.watch({ prefix: 'fan/', after: start }), 20))
  for (let write = 0; write < 20; write++) await kv.set({ key: `fan/k${write % 3}`, value: String(write) })
  const writes = Array.from({ length: 20 }, (_, write) => String(write))
  for (const view of await Promise.all(views)) assert.equal(view.map(({ value }) => value), writes)
})

test('a watch goes on from any revision without a gap and without showing anything twice', async () => {
  const { kv } = await rooted()
  const keys = ['w/a', 'w/b', 'w/a/c', 'wx/no', 'w']
  const writer = (async () => {
    for (let round = 0; round < 40; round++) {
      for (const key of keys) await kv.set({ key, value: `${round}` })
      await kv.delete({ key: 'w/b' })
    }
  })()
  const shape = ({ type, key, value }: Change): string => `${type} ${key} ${value}`
  const all = await take(kv.watch({ prefix: 'w/', after: 0 }), 160)
  await writer
  assert.ok(all.every(({ key }) => ['w/a', 'w/b', 'w/a/c'].includes(key)))
  assert.is(all.filter(({ type }) => type === 'delete').length, 40)
  for (let index = 1; index < all.length; index++) assert.ok(all[index]!.revision > all[index - 1]!.revision)
  for (const cut of [1, 77, 159]) {
    const rest = await take(kv.watch({ prefix: 'w/', after: all[cut - 1]!.revision }), 160 - cut)
    assert.equal(rest.map(shape), all.slice(cut).map(shape))
  }
  const self = await take(kv.watch({ prefix: 'w', after: 0 }), 200)
  assert.is(self.filter(({ key }) => key === 'w').length, 40)
  assert.is(self.some(({ key }) => key === 'wx/no'), false)
})

test('a watch ends when its caller cancels it, and with Denied when its token has expired', async () => {
  const { zone, running, kv } = await rooted()
  const cancel = new AbortController()
  const cancelled = take(kv.watch({ prefix: 'w/', after: 0 }, { signal: cancel.signal }), 1)
  cancel.abort()
  assert.equal(await cancelled, [])

  const device = running.as(zone.tokens.device())
  const { revision } = await kv.set({ key: 'nodes/a', value: '1' })
  const stream = device.watch({ prefix: 'nodes/', after: revision - 1 })[Symbol.asyncIterator]()
  assert.is((await stream.next()).value.key, 'nodes/a')
  zone.now += 901_000
  await running.as(zone.tokens.root()).set({ key: 'nodes/a', value: '2' })
  assert.is((await failure(Denied, () => stream.next())).details['reason'], 'token/expired')
})

test('a watch on which nothing happens ends with the token that opened it, and not before', async () => {
  const { zone, running } = await rooted()
  const device = running.as(zone.tokens.device())
  const idle = device.watch({ prefix: 'nodes/', after: 1_000 })[Symbol.asyncIterator]()
  let ended: unknown
  const waiting = idle.next().catch((error: unknown) => { ended = error })
  await zone.elapse(899_000)
  assert.is(ended, undefined)
  await zone.elapse(1_000)
  await waiting
  assert.instance(ended, Denied)
  assert.is((ended as ZonewrightError).details['reason'], 'token/expired')
})

test('who follows a key reads it again where history was cut, and stops for every other fault', async () => {
  const ends: (Error | 'event')[] = ['event', new Compacted(''), 'event', new WatchOverrun(''), new Error('broken')]
  const asked: number[] = []
  let reads = 0
  const records = {
    list: async () => ({ items: [], revision: 10 * reads }),
    async *watch(_: unknown, after: number) {
      asked.push(after)
      for (let end = ends.shift(); ; end = ends.shift()) {
        if (end instanceof Error) throw end
        yield {}
      }
    },
  }
  const read = async (): Promise<void> => void reads++
  let broken: unknown
  const { signal } = new AbortController()
  await follow(records as never, 'boot/config', signal, read).catch((error: unknown) => { broken = error })
  assert.is((broken as Error).message, 'broken')
  assert.equal(asked, [0, 20, 40])
  assert.is(reads, 5)
})

test.run()
