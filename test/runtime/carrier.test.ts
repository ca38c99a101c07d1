/** Two supervisors that know nothing of each other, with real workers: links that an actor of each host carries. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { openPlatform } from '../../runtime/platform/index.ts'
import type { RemoteActor } from '../../runtime/remote.ts'
import { worker } from '../../runtime/spec.ts'
import { Supervisor } from '../../runtime/supervisor.ts'
import { createTrace, type LinkEvent } from '../../runtime/trace.ts'
import type { Inspection, TrustedDevice } from '../../runtime/worker.ts'
import { Clerk, Courier, Desk, Pretender, Stranger } from './carried/protocols.ts'
import { tlsPairs } from './tls-pairs.ts'

const HERE = '127.0.0.1'
const platform = await openPlatform()
const { root, server: pair } = tlsPairs()
const keys = ['ood1', 'node1'].map((name) => platform.keys.generate(platform.random.fork(name)))
const devices: readonly TrustedDevice[] = [
  { host: 'ood1', role: 'ood', jwk: keys[0]!.public.jwk }, { host: 'node1', role: 'node', jwk: keys[1]!.public.jwk },
]
const links: LinkEvent[] = []
const logs: string[] = []

const courier = worker(Courier, new URL('./carried/courier.ts', import.meta.url), {
  carries: true, permissions: { net: [HERE] }, env: { listen: HERE, dial: HERE }, secrets: { ...pair, root },
})
const host = (index: number, specs: readonly ReturnType<typeof worker>[], remote?: (name: string) => RemoteActor) => {
  const trace = createTrace()
  trace.on('link', (event) => void links.push(event))
  trace.on('log', ({ actor, message }) => void logs.push(`${actor}: ${message}`))
  return new Supervisor({
    platform, zone: 'z1', host: devices[index]!.host, device: keys[index]!, devices, trace, kernelActors: [],
    ...(remote ? { remote: (name: string) => (name === 'clerk' ? remote(name) : undefined) } : {}),
  }, specs)
}
const ood = host(0, [
  courier, worker(Clerk, new URL('./carried/clerk.ts', import.meta.url)),
  worker(Pretender, new URL('./carried/pretender.ts', import.meta.url)),
])
let carrier = 'courier'
const node: Supervisor = host(1, [
  courier, worker(Desk, new URL('./carried/desk.ts', import.meta.url)),
  worker(Stranger, new URL('./carried/stranger.ts', import.meta.url), { manual: true }),
], (name) => node.carriedBy(carrier)(name))

const until = async (what: string, is: () => Promise<boolean> | boolean): Promise<void> => {
  for (let turn = 0; turn < 400; turn++) {
    if (await is()) return
    await new Promise((settle) => setTimeout(settle, 25))
  }
  throw new Error(`It did not come to that: ${what}; ${await counts()}`)
}
const dial = async (): Promise<void> => {
  const port = await ood.get(Courier).listen({})
  await node.get(Courier).dial({ port })
}
const call = { withinMs: 8_000 }
const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(() => 'no error', (error: Error) => error.name)
const channelsOf = (all: readonly Inspection[], actor: string): readonly unknown[] => {
  const { carried, accepted, waiting } = all.find((each) => each.actor === actor)!.channels!
  return [carried, accepted, waiting]
}
/** What is carried, accepted and on its way: at the node's courier and supervisor, then at the OOD's. */
const counts = async (): Promise<string> => {
  const [near, far] = await Promise.all([node.inspect(), ood.inspect()])
  return [[near, 'courier'], [near, 'supervisor'], [far, 'courier'], [far, 'supervisor']]
    .map(([all, name]) => channelsOf(all as readonly Inspection[], name as string).join(',')).join(' ')
}
const ONE_LINK = '1,0,0 1,0,0 0,1,0 0,1,0'
const whole = (): Promise<void> => until('one link and no more', async () => await counts() === ONE_LINK)

test.before(async () => {
  for (const one of [ood, node]) {
    await one.load()
    await one.startAll()
  }
  await dial()
})
test.after(async () => {
  await node.stopAll()
  await ood.stopAll()
})

test('a link between actors of two hosts carries calls and streams, sealed, and is counted at both', async () => {
  assert.match(await node.get(Desk).who({}, call), /^clerk \d+ for desk on node1$/)
  const long = 'é'.repeat(200_000)
  assert.is(await node.get(Desk).echo({ text: long }, call), long)
  assert.equal(await node.get(Desk).count({ to: 1_000 }, call), [...Array(1_000).keys()])
  const ends = links.filter(({ protocol, state }) => protocol === 'clerk' && state === 'open')
  const across = ends.filter(({ host: here, peerHost }) => here !== peerHost)
  assert.equal(across.map(({ suite }) => suite), ['sealed', 'sealed'])
  await whole()
})

const incarnationOf = (supervisor: Supervisor, name: string): number =>
  supervisor.list().find((each) => each.name === name)!.incarnation
const again = (supervisor: Supervisor, name: string, before: number): Promise<void> => until(`${name} again`, () => {
  const { state, incarnation } = supervisor.list().find((each) => each.name === name)!
  return state === 'serving' && incarnation > before
})

test('when the callee dies, what is pending fails, and the link is made anew; caller and carriers live', async () => {
  const [before, desk] = [incarnationOf(ood, 'clerk'), incarnationOf(node, 'desk')]
  const pending = codeOf(node.get(Desk).nap({ ms: 60_000 }, { withinMs: 30_000 }))
  assert.match(await node.get(Desk).who({}, call), `clerk ${before} `)
  await ood.kill('clerk')
  assert.match(await pending, /Restarted|Unavailable/)
  assert.is.not(await node.get(Desk).who({}, call).then((who) => /\d+/.exec(who)![0]), String(before))
  assert.is(incarnationOf(node, 'desk'), desk)
  await whole()
})

test('a callee that stops in order serves what it has accepted, and is linked when it serves again', async () => {
  const pending = node.get(Desk).nap({ ms: 300 }, call)
  await node.get(Desk).who({}, call)
  const stopped = ood.stop('clerk')
  assert.is(await pending, 'slept')
  await stopped
  await until('no link', async () => await counts() === '0,0,0 0,0,0 0,0,0 0,0,0')
  await ood.start('clerk')
  assert.match(await node.get(Desk).who({}, call), /^clerk/)
  await whole()
})

test('a caller that dies is gone at the callee, and its next incarnation has the only link', async () => {
  const before = incarnationOf(node, 'desk')
  await node.kill('desk')
  await again(node, 'desk', before)
  assert.match(await node.get(Desk).who({}, call), /^clerk/)
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
    await node.get(Desk).who({}, call)
    if (how === 'is killed') await supervisor.kill('courier')
    else supervisor.get(Courier).die({})
    assert.match(await pending, /Restarted|Unavailable/)
    await again(supervisor, 'courier', before)
    await dial()
    assert.match(await node.get(Desk).who({}, call), /^clerk/)
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
    assert.match(await codeOf(node.get(Desk).who({}, { withinMs: 2_000 })), /Unavailable|DeadlineExceeded/)
    assert.is(links.filter(({ state, protocol }) => state === 'open' && protocol === 'clerk').length, opened)
    assert.ok(logs.slice(mark).some((line) => /^clerk: Link refused: .*meant for another/.test(line)))
    await node.get(Courier).lie({ host: '', incarnation: 0 })
    assert.match(await node.get(Desk).who({}, call), /^clerk/)
    await whole()
  })
}

const asDesk = (): { host: string; actor: string; incarnation: number } =>
  ({ host: 'node1', actor: 'desk', incarnation: incarnationOf(node, 'desk') })

test('a carrier that leads to another host than the one that is asked for is refused at once', async () => {
  await node.get(Courier).lie({ host: 'node1', incarnation: 1 })
  assert.is(await codeOf(node.carriedBy('courier')('clerk', 'ood1').open(asDesk())), 'Denied')
  await node.get(Courier).lie({ host: '', incarnation: 0 })
  await whole()
})

test('an actor whose spec does not say that it carries is refused, whatever it asks for', async () => {
  const refusals = await ood.get(Pretender).ask({}, call)
  assert.equal(refusals.map((text) => text.split(':')[0]), ['Denied', 'Denied'])
  assert.is(await codeOf(ood.carriedBy('pretender')('clerk').open(asDesk())), 'Denied')
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

test.run()
