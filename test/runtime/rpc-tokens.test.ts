import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Principal } from '../../runtime/actor.ts'
import { Denied } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import { aborted, alice, counter, gate, rawCaller, type Cx } from './counter-fixture.ts'
import { channelEnds, failureOf, quiet, testClock } from './link-fixture.ts'

const tokens = suite('tokens')

function tokenService(verdict: (token: string, method: string) => Principal | Promise<Principal>) {
  const asked: string[] = []
  const seen: (Principal | undefined)[] = []
  const heard: (string | undefined)[] = []
  const handlers = {
    read: (_: unknown, cx: Cx) => {
      seen.push(cx.principal)
      heard.push(cx.token)
      return 1
    },
    add: (_: unknown, cx: Cx) => (seen.push(cx.principal), 1),
  }
  const lifecycle = {
    authenticate: (token: string, _peer: unknown, { method }: { method: string }) => {
      asked.push(`${token} ${method}`)
      return verdict(token, method)
    },
  }
  return { asked, seen, heard, handlers, lifecycle }
}

tokens('go over a link once, and later calls name them by a number', async () => {
  const sent: string[] = []
  const ends = channelEnds({ toResponder: (frame, deliver) => (sent.push(frame as string), deliver(frame)) })
  const { handlers, lifecycle, seen, heard } = tokenService(() => ({ ...alice, expires: Infinity }))
  const { caller } = await counter(handlers, { lifecycle, ends })
  for (let count = 0; count < 3; count++) await caller.client.read({}, { token: 'token-of-alice' })
  assert.is(sent.filter((frame) => frame.includes('token-of-alice')).length, 1)
  assert.is(seen.every((principal) => principal!.sub === 'alice'), true)
  assert.equal(heard, ['token-of-alice', 'token-of-alice', 'token-of-alice'])
})

tokens('are asked about for every call unless the verdict says how long it holds', async () => {
  const always = tokenService(() => alice)
  const first = await counter(always.handlers, { lifecycle: always.lifecycle })
  for (let count = 0; count < 3; count++) await first.caller.client.read({}, { token: 't' })
  assert.is(always.asked.length, 3)
  const clock = testClock()
  const held = tokenService(() => ({ ...alice, expires: clock.now() + 1_000 }))
  const second = await counter(held.handlers, { lifecycle: held.lifecycle, clock })
  for (let count = 0; count < 3; count++) await second.caller.client.read({}, { token: 't' })
  assert.equal(held.asked, ['t read'])
  await second.caller.client.add({ by: 1 }, { token: 't' })
  assert.equal(held.asked, ['t read', 't add'])
  await clock.advance(1_000)
  await second.caller.client.read({}, { token: 't' })
  assert.equal(held.asked, ['t read', 't add', 't read'])
})

tokens('that are revoked are unbound: the next call is denied', async () => {
  let valid = true
  const { handlers, lifecycle } = tokenService(() => {
    if (!valid) throw new Denied('The session was ended')
    return { ...alice, expires: Infinity }
  })
  const { caller, service } = await counter(handlers, { lifecycle })
  await caller.client.read({}, { token: 't' })
  valid = false
  const ended = new Denied('The session was ended')
  service.unbind((principal) => principal.sid === 'other', ended)
  assert.is(await caller.client.read({}, { token: 't' }), 1)
  service.unbind((principal) => principal.sid === 's1', ended)
  const error = await failureOf(caller.client.read({}, { token: 't' }))
  assert.instance(error, Denied)
  assert.is(error.message, 'The session was ended')
})

tokens('that are revoked end the streams that they opened, and no others', async () => {
  const { handlers, lifecycle } = tokenService((sid) => ({ ...alice, sid, expires: Infinity }))
  const closed: string[] = []
  const watch = async function* (_: unknown, { signal, principal }: Cx) {
    yield { n: 1 }
    await aborted(signal)
    closed.push(principal.sid ?? 'the actor itself')
  }
  const { caller, service } = await counter({ ...handlers, watch }, { lifecycle })
  const open = async (settings: { token?: string }) => {
    const items = caller.client.watch({ from: 0, to: 1 }, settings)[Symbol.asyncIterator]()
    await items.next()
    return items.next()
  }
  const streams = [{ token: 's1' }, { token: 's2' }, {}].map(open)
  await quiet()
  service.unbind(({ sid }) => sid === 's1', new Denied('The session was ended'))
  service.unbind(({ sid }) => sid === undefined, new Denied('An actor that speaks for itself has no session'))
  const error = await failureOf(streams[0]!)
  assert.instance(error, Denied)
  assert.is(error.message, 'The session was ended')
  await quiet()
  assert.equal(closed, ['s1'])
  caller.close(new Denied('over'))
  await Promise.all(streams.slice(1).map((one) => failureOf(one)))
})

tokens('are denied by an actor that takes none, and when they are too long', async () => {
  const { caller } = await counter()
  assert.instance(await failureOf(caller.client.read({}, { token: 't' })), Denied)
  assert.instance(await failureOf(caller.client.read({}, { token: 'x'.repeat(limits.token + 1) })), Denied)
})

tokens('of one call say nothing about the next', async () => {
  const { handlers, lifecycle, seen } = tokenService((token) => ({ ...alice, sub: token, expires: Infinity }))
  const { caller } = await counter(handlers, { lifecycle })
  await caller.client.read({}, { token: 'anna' })
  await caller.client.read({})
  await caller.client.read({}, { token: 'bert' })
  await caller.client.read({}, { token: 'anna' })
  assert.equal(seen.map((principal) => principal!.sub), ['anna', 'alice', 'bert', 'anna'])
})

tokens('beyond the number that one link binds replace the least recently used', async () => {
  const { handlers, lifecycle, asked } = tokenService((token) => ({ ...alice, sub: token, expires: Infinity }))
  const { caller } = await counter(handlers, { lifecycle })
  for (let index = 0; index <= limits.boundTokens; index++) {
    await caller.client.read({}, { token: `t${index}` })
    await caller.client.read({}, { token: 't1' })
  }
  assert.is(asked.length, limits.boundTokens + 1)
  await caller.client.read({}, { token: 't1' })
  assert.is(asked.length, limits.boundTokens + 1)
  await caller.client.read({}, { token: 't0' })
  assert.is(asked.length, limits.boundTokens + 2)
})

tokens('whose check takes time keep calls in order', async () => {
  const door = gate()
  const { handlers, lifecycle } = tokenService(async () => (await door.promise, alice))
  const order: string[] = []
  const read = (_: unknown, cx: Cx): number => (order.push(cx.principal.appid), 1)
  const { caller } = await counter({ ...handlers, read }, { lifecycle })
  const results = [{ token: 't' }, {}, { token: 't' }].map((settings) => caller.client.read({}, settings))
  await quiet()
  assert.equal(order, [])
  door.open()
  await Promise.all(results)
  assert.equal(order, ['app', 'alice', 'app'])
})

tokens('that were never bound are denied, though their number is small', async () => {
  const raw = await rawCaller(await counter())
  raw.send([1, 1, 0, 2e13, 3, { by: 1 }])
  assert.equal((await raw.next()).slice(0, 3), [9, 1, 'Denied'])
})

tokens.run()
