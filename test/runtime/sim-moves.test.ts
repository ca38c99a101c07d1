/** A move into a simulated etcd that ends half way, and what the next one finds there. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { ZonewrightError } from '../../runtime/errors.ts'
import { simulate, type SimulatedProcess, type World } from '../../runtime/sim/simulate.ts'
import { folderOf, type StoreLocation } from '../../runtime/store/location.ts'
import { MovableStore } from '../../runtime/store/movable.ts'
import type { Moved, MovePhase } from '../../runtime/store/move/move.ts'
import { deferred, pause } from '../../runtime/within.ts'

const to: StoreLocation = { type: 'etcd', endpoints: ['etcd'], prefix: '/moved' }
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const open = async ({ platform }: SimulatedProcess): Promise<MovableStore> =>
  new MovableStore(await platform.stores(folderOf('/stores')).open('one'))

const move = (
  { platform }: SimulatedProcess, store: MovableStore, onPhase: (phase: MovePhase) => void,
): Promise<Moved> =>
  platform.stores(to).take!('one', store, {
    owner: { host: 'a', source: '/stores/one' }, clock: platform.clock, random: platform.random,
    signal: new AbortController().signal, onProgress: ({ phase }) => onPhase(phase),
  })

/** A first process dies in its move when it comes to `dies`; `during` is what its store is used for meanwhile. */
async function interrupted(
  dies: MovePhase, during: (store: MovableStore, phase: MovePhase) => void,
  { between = async () => {}, keys }: { between?: (world: World) => Promise<void>; keys: readonly string[] },
): Promise<Moved | string> {
  let outcome: Moved | string = ''
  await simulate({
    seed: 1, keys: 'cheap', modules: new Map(), maxEvents: 100_000, maxVirtualMs: 600_000, etcd: 'beside',
  }, async (world) => {
    const first = world.startProcess('a')
    const over = deferred<void>()
    first.onEnd(() => over.resolve())
    const store = await open(first)
    await store.put('b', bytes('1'))
    move(first, store, (phase) => {
      if (phase === dies) first.kill()
      else during(store, phase)
    }).catch((error: Error) => world.fail(error))
    await over.promise
    await pause(world.clock, 1_000)
    await between(world)
    const second = world.startProcess('a')
    outcome = await move(second, await open(second), () => {}).catch((error: unknown) =>
      (error instanceof ZonewrightError ? error.code : String(error)))
    assert.equal(world.etcd!.look('/moved/one').entries.map(({ key }) => key).sort(), keys)
  })
  return outcome
}

test('what an interrupted move has followed behind the last page is taken for what it is by the next', async () => {
  let written = false
  const outcome = await interrupted('verified', (store, phase) => {
    if (phase !== 'following' || written) return
    written = true
    for (const key of ['a', 'z']) store.put(key, bytes('2')).catch(() => {})
  }, { keys: ['a', 'b', 'z'] })
  assert.ok(typeof outcome !== 'string' && outcome.moved, JSON.stringify(outcome))
})

test('a key behind the last page that nobody has copied ends the move, and stays', async () => {
  const outcome = await interrupted('verified', () => {}, {
    keys: ['b', 'z'], between: async (world) => world.etcd!.meddle('/moved/one', 'z', bytes('2')),
  })
  assert.is(outcome, 'MoveMismatch')
})

test.run()
