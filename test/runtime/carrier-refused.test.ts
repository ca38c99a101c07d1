/** What a carried link is, and carriers, callers and callees that are refused. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { asDesk, call, codeOf, links, logs, node, ood, start, stop, who, whole } from './carried/hosts.ts'
import { Courier, Desk, Pretender, Stranger } from './carried/protocols.ts'

test.before(start)
test.after(stop)

test('a link between actors of two hosts carries calls and streams, sealed, and is counted at both', async () => {
  assert.match(await who(), /^clerk \d+ for desk on node1$/)
  const long = 'é'.repeat(200_000)
  assert.is(await node.get(Desk).echo({ text: long }, call), long)
  assert.equal(await node.get(Desk).count({ to: 1_000 }, call), [...Array(1_000).keys()])
  const ends = links.filter(({ protocol, state }) => protocol === 'clerk' && state === 'open')
  const across = ends.filter(({ host: here, peerHost }) => here !== peerHost)
  assert.equal(across.map(({ suite }) => suite), ['sealed', 'sealed'])
  await whole()
})

test('an actor whose spec does not say that it carries is refused, whatever it asks for', async () => {
  const refusals = await ood.get(Pretender).ask({}, call)
  assert.equal(refusals.map((text) => text.split(':')[0]), ['Denied', 'Denied'])
  assert.is(await codeOf(ood.carriedBy('pretender')('clerk').open(asDesk())), 'Denied')
  assert.is(await ood.get(Courier).again({}, call), 'InvalidArgument')
})

test('a caller that the actor does not admit gets no link, and leaves none', async () => {
  await node.start('stranger')
  assert.is(await codeOf(node.get(Stranger).who({}, call)), 'Denied')
  assert.ok(logs.some((line) => line === 'clerk: Link refused: clerk does not admit stranger'))
  await node.stop('stranger')
  await whole()
})

test('an actor that is not here, one that does not serve, and a host that nobody knows are named as such', async () => {
  const ask = (protocol: string, from = 'node1') => ood.get(Courier).ask({ protocol, host: from }, call)
  assert.is(await ask('nothing'), 'Unavailable: It does not serve: nothing')
  assert.is(await ask('clerk', 'node2'), 'Unavailable: The host is not known here: node2')
  assert.is(await ask('supervisor'), 'Unavailable: It does not serve: supervisor')
  await ood.stop('pretender')
  assert.is(await ask('pretender'), 'Unavailable: It does not serve: pretender')
  assert.is(await ask('clerk'), 'accepted true')
  await whole()
})

test('a carrier that leads to another host than the one that is asked for is refused at once', async () => {
  await node.get(Courier).lie({ host: 'node1', incarnation: 1 })
  assert.is(await codeOf(node.carriedBy('courier')('clerk', 'ood1').open(asDesk())), 'Denied')
  await node.get(Courier).lie({ host: '', incarnation: 0 })
  await whole()
})

test.run()
