/** A move in virtual time: etcd fails in the midst of it, the mover ends anywhere, and somebody writes meanwhile. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Unavailable, ZonewrightError } from '../../runtime/errors.ts'
import { clockOf } from '../../runtime/sim/host-clock.ts'
import { SeededRandom } from '../../runtime/sim/random.ts'
import type { SimulatedThread } from '../../runtime/sim/thread.ts'
import { createMemoryStore, emptyState } from '../../runtime/store/memory.ts'
import { MovableStore } from '../../runtime/store/movable.ts'
import { movePhases, type Moved, type MovePhase } from '../../runtime/store/move/move.ts'
import type { StoreState } from '../../runtime/store/state.ts'
import type { Store } from '../../runtime/store/store.ts'
import { bytes, put, text } from '../compliance/store/checks.ts'
import { runWithEtcd, type EtcdWorld } from './sim-etcd-fixture.ts'

const PREFIX = '/zones/sim'
const KEYS = 300

/** One machine: its disk outlives what runs on it. */
class Machine {
  readonly state: StoreState
  readonly random: SeededRandom
  /** By key, what was acknowledged last, and what was sent since and may be there. */
  readonly known = new Map<string, { acknowledged: string | undefined; sent: (string | undefined)[] }>()
  thread!: SimulatedThread
  store!: Store
  /** The highest that anybody has seen. */
  revision = 0
  readonly #world: EtcdWorld
  #starts = 0

  constructor(world: EtcdWorld, random: SeededRandom) {
    this.#world = world
    this.random = random
    this.state = emptyState(random.fork('state'))
  }

  /** As a worker does: from the folder, or from where that says that it went. */
  async start(): Promise<void> {
    this.thread = this.#world.thread(`worker ${++this.#starts}`)
    this.store = this.state.moved ? await this.#world.etcd.in(PREFIX, this.thread).open('one')
      : new MovableStore(createMemoryStore({
        clock: this.clock, random: this.random.fork(`memory ${this.#starts}`), state: this.state,
        persist: () => new Promise((resolve) => { this.clock.after(this.random.within([1, 4]), resolve) }),
      }))
  }

  /** Where that is etcd, which may be away, it is tried again. */
  async startAgain(): Promise<void> {
    for (;;) {
      try {
        return await this.start()
      } catch (error) {
        if (!(error instanceof Unavailable)) throw error
        await this.#world.wait(5_000)
      }
    }
  }

  get clock() {
    return clockOf(this.#world.schedule, this.thread)
  }

  move(onPhase: (phase: MovePhase) => void = () => {}): Promise<Moved> {
    return this.#world.etcd.in(PREFIX, this.thread).take!('one', this.store as MovableStore, {
      owner: { host: 'ood1', source: '/stores/one' }, clock: this.clock, random: this.random.fork('move'),
      signal: new AbortController().signal, onProgress: ({ phase }) => onPhase(phase),
    })
  }

  /** Writes until `until` says that it is enough; ends with its thread. */
  async write(number: number, isOver: () => boolean): Promise<void> {
    const { thread, store } = this
    for (let count = 0; !isOver() && thread.alive; count++) {
      const key = `k/${this.random.within([0, KEYS - 1])}/${number}`
      const value = this.random.within([0, 4]) === 0 ? undefined : `${number} ${count}`
      const known = this.known.get(key) ?? { acknowledged: undefined, sent: [] }
      this.known.set(key, known)
      known.sent.push(value)
      try {
        await (value === undefined ? store.delete(key) : store.put(key, bytes(value)))
        known.acknowledged = value
        known.sent = []
        const before = this.revision
        const revision = await store.revision()
        assert.ok(revision >= before, `the revision went from ${before} to ${revision}`)
        this.revision = Math.max(this.revision, revision)
      } catch (error) {
        if (!(error instanceof Unavailable)) throw error
      }
      await this.#world.wait(this.random.within([1, 20]))
    }
  }

  async check(store: Store): Promise<void> {
    const { entries } = await store.list('')
    const found = new Map(entries.map(({ key, value }) => [key, text(value)]))
    for (const [key, { acknowledged, sent }] of this.known) {
      const value = found.get(key)
      const may = [acknowledged, ...sent]
      assert.ok(may.includes(value), `${key} is ${value}, and not ${may.join(' or ')}`)
    }
    assert.ok(await store.revision() >= this.revision)
    if (!this.state.moved) return
    // What was not written since has the revisions that it had
    for (const { key, createRevision, modRevision, version } of entries) {
      if (modRevision > this.state.revision) continue
      const { value: _, lease: __, ...was } = this.state.entry(key)!
      assert.equal({ key, createRevision, modRevision, version }, was)
    }
  }
}

const NOTHING: Moved = { moved: false, entries: 0, bytes: 0, digest: '', revision: 0, ms: 0, fenceMs: 0, fences: 0 }

async function disturb({ etcd, wait }: EtcdWorld, random: SeededRandom, isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    await wait(random.within([20, 600]))
    const fault = random.within([0, 9])
    if (fault === 0) etcd.outage(random.within([10, 7_000]))
    if (fault === 1) etcd.changeLeader()
    if (fault === 2) etcd.compact()
    if (fault === 3) etcd.setDelayFactor(random.within([1, 40]))
    if (fault === 4) etcd.setDelayFactor(1)
  }
}

/** Writes, moves, and ends the worker as it comes to a phase; until the store has gone and been read there. */
async function oneRun(world: EtcdWorld, seed: number, crashAt: MovePhase | undefined, faults: boolean): Promise<Moved> {
  const random = new SeededRandom(`move ${seed}`)
  const machine = new Machine(world, random)
  await machine.start()
  for (let index = 0; index < KEYS; index++) {
    machine.known.set(`k/${index}/0`, { acknowledged: `0 ${index}`, sent: [] })
  }
  await machine.store.transact([], [...machine.known].map(([key, { acknowledged }]) => put(key, acknowledged)))
  const { id } = machine.store
  let over = false
  const disturbing = faults ? disturb(world, random.fork('faults'), () => over) : undefined
  let crash = crashAt
  let moved: Moved | undefined
  const write = (): readonly Promise<void>[] => [1, 2, 3].map((number) => {
    const writing = machine.write(number, () => moved !== undefined)
    writing.catch((error: Error) => world.schedule.fail(error))
    return writing
  })
  let writing = write()
  for (let attempt = 0; !moved; attempt++) {
    assert.ok(attempt < 40, 'it does not come to an end')
    const { thread } = machine
    const ended = new Promise<undefined>((resolve) => thread.onEnd(() => resolve(undefined)))
    const moving = machine.move((phase) => {
      if (phase !== crash) return
      crash = undefined
      // What it does next in this turn is done; what it has sent may arrive
      world.schedule.soon(world.observer, () => thread.end())
    }).catch((error: unknown) => error)
    const outcome = await Promise.race([ended, moving])
    if (outcome instanceof Error && !(outcome instanceof ZonewrightError)) throw outcome
    if (outcome && !(outcome instanceof Error)) moved = outcome as Moved
    if (outcome === undefined) {
      await machine.startAgain()
      await machine.check(machine.store)
      if (machine.store instanceof MovableStore) writing = write()
      else moved = NOTHING
    } else await world.wait(1_000)
    if (outcome !== undefined && moved) await Promise.all(writing.map((each) => Promise.race([each, ended])))
  }
  over = true
  await disturbing
  await world.wait(15_000)
  assert.ok(machine.state.moved)
  const reader = await world.etcd.in(PREFIX, world.observer).open('one')
  assert.is(reader.id, id)
  await machine.check(reader)
  return moved
}

const forSeeds = async (first: number, count: number, run: (world: EtcdWorld, seed: number) => Promise<unknown>) => {
  for (let seed = first; seed < first + count; seed++) {
    await runWithEtcd(seed, async (world) => void await run(world, seed)).catch((error: Error) => {
      throw new Error(`seed ${seed}: ${error.message}`, { cause: error })
    })
  }
}

test('a store moves while it is written, and every write that was acknowledged is there', () =>
  forSeeds(1, 40, (world, seed) => oneRun(world, seed, undefined, false)))

test('etcd goes away, changes its leader, forgets and is slow: nothing is lost, and it comes to an end', () =>
  forSeeds(1_000, 60, (world, seed) => oneRun(world, seed, undefined, true)))

for (const phase of movePhases) {
  test(`the mover ends as it is ${phase}: the next one goes on, and nothing is lost`, () =>
    forSeeds(2_000, 20, (world, seed) => oneRun(world, seed, phase, seed % 2 === 0)))
}

test('the same seed gives the same trace', async () => {
  const hashes: string[] = []
  for (let round = 0; round < 2; round++) {
    const { hash } = await runWithEtcd(7, async (world) => void await oneRun(world, 7, 'verified', true))
    hashes.push(hash)
  }
  assert.is(hashes[0], hashes[1])
})

test.run()
