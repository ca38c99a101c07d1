import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { moveStores } from '../../boot/migrate/move-stores.ts'
import { ActorStore } from '../../runtime/actor-store.ts'
import { StartFailed, ZonewrightError } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import { openPlatform } from '../../runtime/platform/index.ts'
import type { Platform } from '../../runtime/platform/ports.ts'
import { createRedactor } from '../../runtime/redact.ts'
import { clockOf } from '../../runtime/sim/host-clock.ts'
import { SeededRandom } from '../../runtime/sim/random.ts'
import type { SimulatedThread } from '../../runtime/sim/thread.ts'
import { createMemoryStore, emptyState } from '../../runtime/store/memory.ts'
import { MovableStore } from '../../runtime/store/movable.ts'
import { names, type Area, type AreaRequest, type Range } from '../../runtime/store/move/area.ts'
import type { Copy } from '../../runtime/store/move/copy.ts'
import { Follow } from '../../runtime/store/move/follow.ts'
import { moveStore, type Moved, type MoveProgress } from '../../runtime/store/move/move.ts'
import { RowReader } from '../../runtime/store/move/row-reader.ts'
import { encodeRows } from '../../runtime/store/move/rows.ts'
import { Scan } from '../../runtime/store/move/scan.ts'
import { connectEtcd } from '../../runtime/store/etcd.ts'
import type { Operation } from '../../runtime/store/store.ts'
import type { Supervisor } from '../../runtime/supervisor.ts'
import { codeOf, plainErrors, put } from '../compliance/store/checks.ts'
import { manualClock } from '../actors/manual-clock.ts'
import { startEtcd } from '../runtime/etcd-server.ts'
import { bytes, newFolder, ports, removeFolder } from '../runtime/move-fixture.ts'
import { runWithEtcd, type EtcdWorld } from '../runtime/sim-etcd-fixture.ts'

const moves = suite('limits of a move')
const test = (title: string, body: () => Promise<void>): void => moves(title, () => plainErrors(body))
const progress: MoveProgress = {
  phase: 'copying', total: 1, entries: 0, verified: 0, bytes: 0, behind: 0, waits: false,
}
const outcome: Moved = { moved: true, entries: 1, bytes: 1, digest: '', revision: 1, ms: 1, fenceMs: 1, fences: 1 }

const memory = (): MovableStore => new MovableStore(createMemoryStore(ports))
async function fill(store: MovableStore, count: number, value = '1'): Promise<void> {
  for (let from = 0; from < count; from += limits.transactionOperations) {
    const some = Math.min(limits.transactionOperations, count - from)
    await store.transact([], Array.from({ length: some }, (_, index): Operation => put(`k/${from + index}`, value)))
  }
}

test('a transaction copies as many entries and bytes as the limits, and as many are under way', async () => {
  const etcd = await startEtcd()
  const { area, native } = connectEtcd({ endpoints: [etcd.endpoint], prefix: '/limits', clock: ports.clock })
  let [operations, largest, underWay, most] = [0, 0, 0, 0]
  const transact = async (request: AreaRequest) => {
    const { success } = request
    operations = Math.max(operations, success.length)
    const values = success.map((each) => (each.type === 'put' && each.key.startsWith('keys/') ? each.value.length : 0))
    largest = Math.max(largest, values.reduce((sum, length) => sum + length, 0))
    most = Math.max(most, ++underWay)
    try {
      return await area.transact(request)
    } finally {
      underWay--
    }
  }
  const store = memory()
  await fill(store, 5_000)
  for (let index = 0; index < 12; index++) await store.put(`large/${index}`, new Uint8Array(limits.moveBytes / 4 + 1))
  await moveStore({
    ...ports, source: store.moveSource!(), fence: store, native, prefix: '/limits', onProgress: () => {},
    area: { transact, ...bound(area) }, signal: new AbortController().signal,
    owner: { host: 'ood1', source: '/one' },
  })
  assert.is(operations, limits.moveOperations)
  assert.ok(largest > limits.moveBytes / 2 && largest <= limits.moveBytes, `${largest} bytes`)
  assert.is(most, limits.moveInFlight)
  await store.close()
  await etcd.end()
})

/** Private fields are the object's own: what stands before it has to call it. */
const bound = (area: Area): Omit<Area, 'transact'> => ({
  place: area.place, read: (ranges) => area.read(ranges), grant: (ms, id) => area.grant(ms, id),
  lease: (id, ms) => area.lease(id, ms), operationsMax: (wanted) => area.operationsMax(wanted),
  close: () => area.close(),
})

test('as many keys as the limit may be behind, one more and the move is outrun', async () => {
  const store = memory()
  await fill(store, limits.moveBehind + 1)
  const scan = new Scan(store.moveSource!())
  while (scan.next({ entries: 1_000, bytes: 1_000_000 }));
  await fill(store, limits.moveBehind, '2')
  scan.assertNotOutrun()
  await store.put(`k/${limits.moveBehind}`, bytes('2'))
  assert.throws(() => scan.assertNotOutrun(), (error: ZonewrightError) => error.code === 'Overloaded')
})

test('what is written follows for so many rounds, and after the first of them writes wait for each', async () => {
  const { moveRounds, moveFreeRounds } = limits
  const changed = new Map(Array.from({ length: 10_000 }, (_, index) => [String(index), undefined]))
  const scan = {
    changed, assertNotOutrun() {}, take: (most: number) => new Map([...changed].slice(0, most)),
  } as unknown as Scan
  let [rounds, fences] = [0, 0]
  const follow = new Follow({
    scan, copy: { again: async () => {} } as unknown as Copy, source: memory().moveSource!(), clock: ports.clock,
    target: undefined as never, operations: 3, onProgress: () => void rounds++,
    fence: { begin: async () => void fences++, end: () => {} },
  })
  await follow.catchUp()
  assert.is(rounds, moveRounds)
  assert.is(fences, moveRounds - moveFreeRounds)
})

/** A mover in virtual time. */
function mover({ etcd, schedule }: EtcdWorld, thread: SimulatedThread, host = 'ood1') {
  const clock = clockOf(schedule, thread)
  const random = new SeededRandom(`limits ${host}`)
  const store = new MovableStore(createMemoryStore({ clock, random, state }))
  return {
    store,
    move: (onProgress: (progress: MoveProgress) => void = () => {}): Promise<Moved> =>
      etcd.in('/limits', thread).take!('one', store, {
        owner: { host, source: '/one' }, clock, random, signal: new AbortController().signal, onProgress,
      }),
  }
}
let state = emptyState(new SeededRandom('state'))

test('the lock of a mover that is silent keeps others out as long as the limit', () => runWithEtcd(1, async (world) => {
  state = emptyState(new SeededRandom('locked'))
  const thread = world.thread('first')
  const first = mover(world, thread)
  await fill(first.store, 10)
  await new Promise<void>((resolve) => {
    void first.move(({ phase }) => {
      if (phase === 'copying') resolve()
    })
  })
  thread.end()
  const began = world.nowMs()
  const second = mover(world, world.observer, 'ood2')
  while (await codeOf(second.move()) === 'StoreBeingMoved') await world.wait(500)
  const waited = world.nowMs() - began
  assert.ok(waited > limits.moveLockMs - 2_000 && waited < limits.moveLockMs + 3_000, `${waited} ms`)
}).then(() => {}))

test('writes wait no longer than the limit, as often as the limit, with pauses that grow; then it is given up', () =>
  runWithEtcd(2, async (world) => {
    state = emptyState(new SeededRandom('fenced'))
    const { store, move } = mover(world, world.observer)
    await fill(store, 10)
    const fences: number[] = []
    let [over, longest] = [false, 0]
    const writing = (async () => {
      while (!over) {
        const began = world.nowMs()
        await store.put('w', bytes('1'))
        longest = Math.max(longest, world.nowMs() - began)
        await world.wait(5)
      }
    })()
    const failed = codeOf(move(({ phase }) => {
      if (phase === 'following') world.etcd.setDelayFactor(300)
      if (phase === 'fenced' && fences.at(-1) !== world.nowMs()) fences.push(world.nowMs())
    }))
    const code = await failed
    assert.ok(code === 'Overloaded', code)
    over = true
    await writing
    assert.ok(fences.length === limits.moveFences, `${fences.length} times`)
    assert.ok(longest > limits.moveFenceMs - 10 && longest < limits.moveFenceMs + 20, `${longest} ms`)
    const pauses = fences.slice(1).map((at, index) => at - fences[index]!)
    assert.ok(pauses.every((ms) => ms > limits.moveFencePauseMs))
    assert.ok(pauses.at(-1)! > limits.moveFencePauseMsMax)
  }).then(() => {}))

test('a move waits for an etcd that went away as long as the limit', () => runWithEtcd(3, async (world) => {
  state = emptyState(new SeededRandom('away'))
  const { store, move } = mover(world, world.observer)
  await fill(store, 10)
  let began = 0
  const failed = codeOf(move(({ phase }) => {
    if (phase !== 'copying' || began > 0) return
    began = world.nowMs()
    world.etcd.outage(10 * limits.moveWaitMs)
  }))
  assert.is(await failed, 'Unavailable')
  const waited = world.nowMs() - began
  assert.ok(waited >= limits.moveWaitMs && waited < limits.moveWaitMs + 4 * limits.storeCallMs, `${waited} ms`)
}).then(() => {}))

test('how far it is is told at each phase, and once in so many milliseconds within one', async () => {
  const clock = manualClock()
  const told: MoveProgress[] = []
  const take = async (_: string, __: MovableStore, { onProgress }: { onProgress: (now: MoveProgress) => void }) => {
    for (let ms = 0; ms < 10 * limits.moveTellMs; ms += 10) {
      onProgress(progress)
      await clock.advance(10)
    }
    onProgress({ ...progress, phase: 'following' })
    onProgress({ ...progress, phase: 'fenced' })
    return outcome
  }
  const store = new ActorStore({
    start: { actor: 'one', host: 'ood1', stores: { type: 'folder', path: '/' } } as never,
    platform: { ...ports, clock, stores: () => ({ open: async () => memory(), take }) } as unknown as Platform,
    stateless: false, redactor: createRedactor(), signal: new AbortController().signal, onStopped: () => {},
    onProgress: (now) => void told.push(now),
  })
  await store.move({ type: 'etcd', endpoints: [], prefix: '/' })
  assert.is(told.length, 10 + 2)
})

test('the store of an actor whose worker ends is begun with as often as the limit, and so much later', async () => {
  const platform = await openPlatform()
  const folder = await newFolder()
  const files = await platform.host.openFolder(folder)
  await files.makeFolder('stores/one', { mode: 0o700 })
  const clock = manualClock()
  const asked: number[] = []
  const supervisor = {
    list: () => [{ name: 'one' }],
    moveStore: async () => {
      asked.push(clock.monotonic())
      throw new StartFailed('Its worker has ended')
    },
  } as unknown as Supervisor
  const moving = codeOf(moveStores({
    platform: { ...platform, clock }, files, host: 'ood1', to: { type: 'etcd', endpoints: [], prefix: '/' },
    supervisor: () => supervisor,
  }))
  for (let round = 0; asked.length < limits.moveAttempts; round++) {
    assert.ok(round < 10_000)
    await clock.advance(10)
  }
  assert.is(await moving, 'StartFailed')
  assert.is(asked.length, limits.moveAttempts)
  assert.ok(asked.slice(1).every((at, index) => at - asked[index]! >= limits.moveAttemptMs))
  await removeFolder(folder)
})

test('as many rows as the limit are remembered, and as many keys as the limit read at once', async () => {
  let reads = 0
  const row = (key: string) => ({ key, create: 1, mod: 1, version: 1, copies: 1 })
  const kvOf = (key: string, of: readonly string[]) => ({
    key, value: encodeRows(of.map(row)), create: 1, mod: 1, version: 1, lease: undefined,
  })
  const keyOf = (index: number): string => String(index).padStart(6, '0')
  const all = Array.from({ length: limits.movedRowsAtOnce + 1 }, (_, index) => keyOf(index))
  const page = kvOf('pages/z', all)
  const area = {
    place: 'here',
    async read(ranges: readonly Range[]) {
      reads++
      return { revision: 1, ranges: ranges.map(({ from, to }) => {
        const [kind, key = ''] = [from.slice(0, 5), from.slice(names.row('').length)]
        const isSingle = kind === 'rows/' && to === undefined
        const kvs = isSingle ? [kvOf(from, [key])] : kind === 'pages' ? [page] : []
        return { kvs, more: false, count: kvs.length }
      }) }
    },
  } as unknown as Area
  const reader = new RowReader(area)
  await reader.ofAll(all.slice(0, -1))
  assert.is(reads, 1)
  const again = new RowReader(area)
  reads = 0
  await again.ofAll(all)
  assert.is(reads, 2)
  const small = new RowReader(area)
  for (let index = 0; index < limits.movedRows; index++) await small.of(keyOf(index))
  reads = 0
  await small.of(keyOf(0))
  assert.is(reads, 0)
  await small.of('another')
  await small.of(keyOf(1))
  assert.is(reads, 2)
  await small.of(keyOf(0))
  assert.is(reads, 2)
})

moves.run()
