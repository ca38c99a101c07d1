/** Links that an actor of each host carries between two: what they carry, and what a death at each place means. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Courier, Desk } from './carried/protocols.ts'
import {
  again, call, codeOf, counts, dial, incarnationOf, links, logs, node, ood, start, stop, until, who, whole,
} from './carried/hosts.ts'

test.before(start)
test.after(stop)

test('when the callee dies, what is pending fails, and the link is made anew; caller and carriers live', async () => {
  const [before, desk] = [incarnationOf(ood, 'clerk'), incarnationOf(node, 'desk')]
  const pending = codeOf(node.get(Desk).nap({ ms: 60_000 }, { withinMs: 30_000 }))
  assert.match(await who(), `clerk ${before} `)
  await ood.kill('clerk')
  assert.is(await pending, 'Restarted')
  assert.is.not(await who().then((who) => /\d+/.exec(who)![0]), String(before))
  assert.is(incarnationOf(node, 'desk'), desk)
  await whole()
})

test('a callee that stops in order serves what it has accepted, and is linked when it serves again', async () => {
  const pending = node.get(Desk).nap({ ms: 300 }, call)
  await who()
  const stopped = ood.stop('clerk')
  assert.is(await pending, 'slept')
  await stopped
  await until('no link', async () => await counts() === '0,0,0 0,0,0 0,0,0 0,0,0')
  await ood.start('clerk')
  assert.match(await who(), /^clerk/)
  await whole()
})

test('a caller that dies is gone at the callee, and its next incarnation has the only link', async () => {
  const before = incarnationOf(node, 'desk')
  await node.kill('desk')
  await again(node, 'desk', before)
  assert.match(await who(), /^clerk/)
  await whole()
  const served = (await ood.inspect()).find(({ actor }) => actor === 'clerk')!
  // The supervisor of the OOD has no client of it
  assert.is(served.links, 1)
})

for (const [where, supervisor, how] of [
  ['of the caller', node, 'is killed'], ['of the callee', ood, 'is killed'],
  ['of the caller', node, 'fails in background work'], ['of the callee', ood, 'fails in background work'],
] as const) {
  test(`when the carrier ${where} ${how}, links are made anew by its next incarnation`, async () => {
    const before = incarnationOf(supervisor, 'courier')
    const pending = codeOf(node.get(Desk).nap({ ms: 60_000 }, { withinMs: 30_000 }))
    await who()
    if (how === 'is killed') await supervisor.kill('courier')
    else supervisor.get(Courier).die({})
    assert.is(await pending, 'Unavailable')
    await again(supervisor, 'courier', before)
    await dial()
    assert.match(await who(), /^clerk/)
    await whole()
  })
}

for (const [what, lie] of [
  ['the host', { host: 'node1', incarnation: 0 }], ['a host that nobody knows', { host: 'ood2', incarnation: 0 }],
  ['the incarnation', { host: 'ood1', incarnation: 7 }],
] as const) {
  test(`a carrier that lies about ${what} gives no link: the handshake refuses it`, async () => {
    const { incarnation = incarnationOf(ood, 'clerk') } = lie.incarnation ? lie : {}
    await node.get(Courier).lie({ host: lie.host, incarnation })
    const opened = links.filter(({ state, protocol }) => state === 'open' && protocol === 'clerk').length
    const mark = logs.length
    await node.kill('desk')
    assert.match(await who(2_000), /Unavailable|DeadlineExceeded/)
    assert.is(links.filter(({ state, protocol }) => state === 'open' && protocol === 'clerk').length, opened)
    assert.ok(logs.slice(mark).some((line) => /^clerk: Link refused: .*meant for another/.test(line)))
    await node.get(Courier).lie({ host: '', incarnation: 0 })
    assert.match(await who(), /^clerk/)
    await whole()
  })
}

test.run()
