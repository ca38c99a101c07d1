/** Two supervisors that know nothing of each other, with real workers, and a carrier on each side. */
import { openPlatform } from '../../../runtime/platform/index.ts'
import type { RemoteActor } from '../../../runtime/remote.ts'
import { worker } from '../../../runtime/spec.ts'
import { Supervisor } from '../../../runtime/supervisor.ts'
import { createTrace, type LinkEvent } from '../../../runtime/trace.ts'
import type { Inspection, TrustedDevice } from '../../../runtime/worker.ts'
import { tlsPairs } from '../tls-pairs.ts'
import { Clerk, Courier, Desk, Pretender, Stranger } from './protocols.ts'

const HERE = '127.0.0.1'
const platform = await openPlatform()
const { root, server: pair } = tlsPairs()
const keys = ['ood1', 'node1'].map((name) => platform.keys.generate(platform.random.fork(name)))
const devices: readonly TrustedDevice[] = [
  { host: 'ood1', role: 'ood', jwk: keys[0]!.public.jwk }, { host: 'node1', role: 'node', jwk: keys[1]!.public.jwk },
]
export const links: LinkEvent[] = []
export const logs: string[] = []

const courier = worker(Courier, new URL('./courier.ts', import.meta.url), {
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
export const ood = host(0, [
  courier, worker(Clerk, new URL('./clerk.ts', import.meta.url)),
  worker(Pretender, new URL('./pretender.ts', import.meta.url)),
])
export const node: Supervisor = host(1, [
  courier, worker(Desk, new URL('./desk.ts', import.meta.url)),
  worker(Stranger, new URL('./stranger.ts', import.meta.url), { manual: true }),
], (name) => node.carriedBy('courier')(name))

export const until = async (what: string, is: () => Promise<boolean> | boolean): Promise<void> => {
  for (let turn = 0; turn < 200; turn++) {
    if (await is()) return
    await new Promise((settle) => setTimeout(settle, 25))
  }
  throw new Error(`It did not come to that: ${what}; ${await counts()}`)
}
export const dial = async (): Promise<void> => {
  const port = await ood.get(Courier).listen({})
  await node.get(Courier).dial({ port })
}
export const call = { withinMs: 8_000 }
export const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(() => 'no error', (error: Error) => error.name)
export const channelsOf = (all: readonly Inspection[], actor: string): readonly unknown[] => {
  const { carried, accepted, waiting } = all.find((each) => each.actor === actor)!.channels!
  return [carried, accepted, waiting]
}
/** What is carried, accepted and on its way: at the node's courier and supervisor, then at the OOD's. */
export const counts = async (): Promise<string> => {
  const [near, far] = await Promise.all([node.inspect(), ood.inspect()])
  return [[near, 'courier'], [near, 'supervisor'], [far, 'courier'], [far, 'supervisor']]
    .map(([all, name]) => channelsOf(all as readonly Inspection[], name as string).join(',')).join(' ')
}
export const ONE_LINK = '1,0,0 1,0,0 0,1,0 0,1,0'
export const whole = (): Promise<void> => until('one link and no more', async () => await counts() === ONE_LINK)

export const incarnationOf = (supervisor: Supervisor, name: string): number =>
  supervisor.list().find((each) => each.name === name)!.incarnation
export const again = (supervisor: Supervisor, name: string, before: number): Promise<void> =>
  until(`${name} again`, () => {
    const { state, incarnation } = supervisor.list().find((each) => each.name === name)!
    return state === 'serving' && incarnation > before
  })

export const asDesk = (): { host: string; actor: string; incarnation: number } =>
  ({ host: 'node1', actor: 'desk', incarnation: incarnationOf(node, 'desk') })

/** What the clerk says to the desk, or how that fails: an error of ours is nothing that a test runner can show. */
export const who = (withinMs = 8_000): Promise<string> =>
  node.get(Desk).who({}, { withinMs }).catch((error: Error) => error.name)

export async function start(): Promise<void> {
  for (const one of [ood, node]) {
    await one.load()
    await one.startAll()
  }
  await dial()
}

export async function stop(): Promise<void> {
  await node.stopAll()
  await ood.stopAll()
}
