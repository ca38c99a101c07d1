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
  throw new Error(`It did not come to that: ${what}`)
}
const dial = async (): Promise<void> => {
  const port = await ood.get(Courier).listen({})
  await node.get(Courier).dial({ port })
}
const call = { withinMs: 8_000 }
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

test.run()
