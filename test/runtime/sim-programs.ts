import type { ActorDefinition } from '../../runtime/actor.ts'
import { supervise, worker } from '../../runtime/index.ts'
import type { Channel, Platform } from '../../runtime/platform/ports.ts'
import type { World } from '../../runtime/sim/simulate.ts'
import audit from '../examples/audit.ts'
import counter from '../examples/counter.ts'
import { Audit, Counter } from '../examples/protocol.ts'
import { pause, utf8 } from './sim-fixture.ts'

/** What a simulation runs, with the default exports of its actors' modules. */
export interface Program {
  readonly run: (world: World) => Promise<void>
  readonly modules: ReadonlyMap<string, ActorDefinition>
}

const PACKETS = 60
const HOPS_MAX = 12

interface Packet { readonly id: number; readonly hops: number; readonly trail: string }

/** Several packets wander between three hosts; each stop signs, sleeps, hashes by WebCrypto and writes a file. */
async function runWander(world: World): Promise<void> {
  const platforms = ['ood1', 'node1', 'node2'].map((host) => world.startProcess(host).platform)
  const channels = new Map<Platform, Channel[]>(platforms.map((platform) => [platform, []]))
  for (const [index, left] of platforms.entries()) {
    const right = platforms[(index + 1) % platforms.length] as Platform
    const [leftEnd, rightEnd] = left.channelPair()
    channels.get(left)?.push(left.openChannel(leftEnd))
    channels.get(right)?.push(right.openChannel(rightEnd))
  }
  const arrived: Promise<void>[] = []
  for (const [index, platform] of platforms.entries()) {
    arrived.push(runStation(world, platform, `station ${index}`, channels.get(platform) ?? []))
  }
  await Promise.all(arrived)
}

function runStation(world: World, platform: Platform, name: string, channels: readonly Channel[]): Promise<void> {
  const { clock, random, keys } = platform
  const key = keys.generate(random.fork('station'))
  const draws = random.fork('draws')
  const ended = new Promise<void>((resolve) => {
    let left = PACKETS / 3
    const forward = async (packet: Packet): Promise<void> => {
      const [choice, sleepMs] = draws.bytes(2) as unknown as [number, number]
      const message = utf8(`${packet.trail} ${name}`)
      const [folder] = await Promise.all([
        platform.host.openFolder('/trail'), pause(platform, sleepMs / 16), 
        crypto.subtle.digest('SHA-256', new Uint8Array(message)),
      ])
      await folder.write(`${packet.id}`, message, { mode: 0o600 })
      const trail = Buffer.from(keys.hash(key.sign(message))).toString('base64url')
      if (!key.public.verify(message, key.sign(message))) throw new Error('A signature does not verify')
      const next: Packet = { id: packet.id, hops: packet.hops + 1, trail }
      if (next.hops < HOPS_MAX) return clock.soon(() => channels[choice % channels.length]?.send(JSON.stringify(next)))
      world.note(`packet ${packet.id} rests at ${name}: ${trail}`)
      for (const channel of channels) channel.send(`rested ${packet.id}`)
    }
    const rested = new Set<string>()
    for (const channel of channels) {
      channel.receive((frame) => {
        const content = String(frame)
        if (!content.startsWith('rested')) return void forward(JSON.parse(content) as Packet)
        if (!rested.has(content)) for (const each of channels) each.send(content)
        rested.add(content)
        if (rested.size === PACKETS) resolve()
      }, () => {})
    }
    while (left-- > 0) void forward({ id: Number(name.at(-1)) * 1_000 + left, hops: 0, trail: '' })
  })
  return ended
}


/** No actors: channels, timers, files and WebCrypto, with many handlers in flight. */
export const wander: Program = { run: runWander, modules: new Map() }

const counterUrl = new URL('../examples/counter.ts', import.meta.url)
const auditUrl = new URL('../examples/audit.ts', import.meta.url)
const actors = [worker(Counter, counterUrl), worker(Audit, auditUrl)]
const IN_FLIGHT = 20

/** Actors under the real supervisor: calls in flight, a stream, a crash, a second boot on the same disk. */
async function runCounter(world: World): Promise<void> {
  const first = world.startProcess('ood1')
  const zone = await supervise(actors, { platform: first.platform, host: 'ood1', stores: '/stores', spans: true })
  zone.trace.on('span', ({ method, peer, durationMs, code }) => {
    world.note(`${method} of ${peer} ${durationMs} ${code}`)
  })
  const add = (by: number): Promise<number> => zone.get(Counter).add({ by })
  const totals = await Promise.all(Array.from({ length: IN_FLIGHT }, () => add(1)))
  if (totals.at(-1) !== IN_FLIGHT) throw new Error(`Calls of one caller are first in, first out: ${totals.join()}`)
  for await (const { total } of zone.get(Counter).watch({ after: 0 })) if (total === IN_FLIGHT) break
  await zone.kill('audit')
  while (zone.list().some(({ state }) => state !== 'serving')) await pause(world, 10)
  world.note(`after the crash: ${await add(1)}`)
  first.kill()
  const second = world.startProcess('ood1')
  const again = await supervise(actors, { platform: second.platform, host: 'ood1', stores: '/stores' })
  const total = await again.get(Counter).add({ by: 1 })
  if (total !== IN_FLIGHT + 2) throw new Error(`A second boot finds what was stored: ${total}`)
  await again.stop()
}

// What an actor needs is typed by its clients; the kernel handles them all alike
const asDefinition = (definition: unknown): ActorDefinition => definition as ActorDefinition
export const counters: Program = {
  run: runCounter, modules: new Map([[counterUrl.href, asDefinition(counter)], [auditUrl.href, asDefinition(audit)]]),
}
