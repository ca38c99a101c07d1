import { safeParse } from 'valibot'
import { SystemConfig } from '../../actors/system-config/protocol.ts'
import { ZonewrightError } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import { Migration } from '../../runtime/migration.ts'
import type { World } from '../../runtime/sim/simulate.ts'
import { folderOf } from '../../runtime/store/location.ts'
import { MovableStore } from '../../runtime/store/movable.ts'
import { movePhases, type MovePhase } from '../../runtime/store/move/move.ts'
import { pause } from '../../runtime/within.ts'
import { file } from '../init.ts'
import type { EtcdLocation } from '../migrate/move-stores.ts'
import { parseJson } from '../parse-json.ts'
import { runChecked, type CheckedScene } from './checked.ts'
import { FOLDER, OOD, type SimulatedCluster } from './cluster.ts'
import { InvariantBroken } from './invariants.ts'
import { settle } from './liveness.ts'
import { describeMoveCase, moveCases, movedStores, type MoveCase, type MoveStrike } from './migrate/cases.ts'
import { OneStore, PREFIX } from './migrate/one-store.ts'
import type { RunOptions } from './options.ts'
import { threadOf } from './orders.ts'
import { loadActors, type RunHooks, type RunReport } from './run.ts'
import { Workload } from './workload.ts'

const VIRTUAL_MS_MAX = 30 * 60_000
/** Of use before the move begins, and after it. */
const USE_MS = 3_000
/** Milliseconds within which a move is through, whatever struck it; between two attempts of it. */
const THROUGH_MS = 8 * 60_000
const AGAIN_MS = 2_000
const OUTAGE_MS = 2_000
const SLOW = { factor: 40, ms: 20_000 } as const
const to: EtcdLocation = { type: 'etcd', endpoints: ['etcd'], prefix: PREFIX }

export async function allMoveCases(): Promise<readonly MoveCase[]> {
  return moveCases(movedStores((await loadActors(undefined)).definitions))
}

export interface MigrateReport extends RunReport {
  readonly case: MoveCase
  /** False where the step never came: the case is none. */
  readonly isStruck: boolean
  /** How often the move was begun, and writes that actors made at targets afterwards. */
  readonly attempts: number
  readonly written: number
}

/** The case that the seed counts up to. */
export async function runMigrate(
  { seed, keys }: Pick<RunOptions, 'seed' | 'keys'>, hooks: RunHooks = {},
): Promise<MigrateReport> {
  const cases = await allMoveCases()
  const one = cases[seed % cases.length]!
  const played = new Played(one)
  const report = await runChecked({
    seed, keys, nodes: 0, virtualMsMax: VIRTUAL_MS_MAX, etcd: 'beside',
    cluster: { stores: { type: 'folder', path: `/${FOLDER}/${file.stores}`, moving: to } },
    watch: {
      commit: (path, changes) => played.stores?.commit(path, changes, played.etcd),
      file: (path, contents) => {
        if (path === `${OOD}:/${FOLDER}/${file.migration}`) played.journaled(contents)
      },
    },
  }, hooks, (scene) => played.play(scene))
  const { isStruck, attempts, stores } = played
  return { ...report, case: one, isStruck, attempts, written: stores?.written ?? 0 }
}

class Played {
  isStruck = false
  attempts = 0
  stores: OneStore | undefined
  readonly #case: MoveCase
  #cluster: SimulatedCluster | undefined

  constructor(one: MoveCase) {
    this.#case = one
  }

  get etcd(): World['etcd'] {
    return this.#cluster?.world.etcd
  }

  async play({ cluster, desk, lookout }: CheckedScene): Promise<void> {
    this.#cluster = cluster
    const { world } = cluster
    const broken = (invariant: string, detail: string): void =>
      world.fail(new InvariantBroken(invariant, `${describeMoveCase(this.#case)}: ${detail}`))
    this.stores = new OneStore((detail) => broken('one-store', detail))
    world.etcd!.onMove = (name, phase) => this.#reached(name, phase)
    cluster.start()
    const workload = new Workload(cluster, desk, lookout.revoked, broken)
    workload.start()
    await this.#serves()
    await pause(world.clock, USE_MS)
    const before = await this.#store()
    await this.#through()
    await this.#nothingLeft()
    await pause(world.clock, USE_MS)
    const after = await this.#store()
    if (after.id !== before.id || after.revision < before.revision) {
      broken('one-store', `system-config went from ${before.id} ${before.revision} to ${after.id} ${after.revision}`)
    }
    await cluster.restart()
    await this.#serves()
    await this.#nothingLeft()
    await settle(cluster, desk, workload, lookout.needs)
    if (this.stores.written === 0) broken('one-store', 'nobody wrote anything where the stores went')
  }

  /** The mover, in its thread. */
  #reached(name: string, phase: MovePhase): void {
    const { at } = this.#case
    if (typeof at === 'string' || at.moment !== 'reached') return
    if (at.store === name && at.phase === phase) this.#strike()
  }

  /** The journal, as it is on the disk now. */
  journaled(contents: Uint8Array): void {
    const parsed = safeParse(Migration, parseJson(contents))
    if (!parsed.success) return
    const { state, stores } = parsed.output
    const { at } = this.#case
    if (at === 'begins' || (at === 'ends' && state === 'done')) return this.#strike()
    if (typeof at === 'string' || at.moment !== 'journaled') return
    const phase = stores.find(({ name }) => name === at.store)?.phase ?? 'waiting'
    // One that is over before the journal is written is not in it
    const place = movePhases.indexOf(phase as MovePhase)
    if (place >= movePhases.indexOf(at.phase)) this.#strike()
  }

  #strike(): void {
    if (this.isStruck) return
    this.isStruck = true
    this.#cluster!.world.note(describeMoveCase(this.#case))
    this.#strikes[this.#case.strike]()
  }

  readonly #strikes: Readonly<Record<MoveStrike, () => void>> = {
    'power-off': () => void this.#cluster!.powerOff(),
    host: () => void this.#cluster!.crash(OOD),
    worker: () => {
      const { at } = this.#case
      if (typeof at !== 'string') this.#cluster!.world.killWorker(OOD, threadOf.get(at.store)!)
    },
    outage: () => this.etcd!.outage(OUTAGE_MS),
    gone: () => this.etcd!.outage(limits.moveWaitMs + 10_000),
    leader: () => this.etcd!.changeLeader(),
    slow: () => {
      this.etcd!.setDelayFactor(SLOW.factor)
      this.#cluster!.world.clock.after(SLOW.ms, () => this.etcd!.setDelayFactor(1))
    },
    compact: () => this.etcd!.compact(),
    rival: () => void this.#rival().catch((error: Error) => this.#cluster!.world.fail(error)),
    twice: () => void this.#twice().catch((error: Error) => this.#cluster!.world.fail(error)),
  }

  /** Another zone's host, with a store of its own, into the same place: it is refused, whatever stands there. */
  async #rival(): Promise<void> {
    const { at } = this.#case
    const name = typeof at === 'string' ? 'system-config' : at.store
    const { platform } = this.#cluster!.world.startProcess('rival')
    const inner = await platform.stores(folderOf('/rival/stores')).open(name)
    const store = new MovableStore(inner)
    await store.put('rival', new Uint8Array([1]))
    const { clock, random } = platform
    const outcome = await platform.stores(to).take!(name, store, {
      owner: { host: 'rival', source: `/rival/stores/${name}` }, clock, random,
      signal: new AbortController().signal, onProgress() {},
    }).then(() => 'it was moved', (error: unknown) => error)
    const code = outcome instanceof ZonewrightError ? outcome.code : String(outcome)
    // Where the target is not begun yet the rival may be the first; then this host is refused, and says why
    if (code !== 'StoreOfAnother' && code !== 'StoreBeingMoved') this.#broken(`a rival was not refused: ${code}`)
  }

  /** One move of a host at a time. */
  async #twice(): Promise<void> {
    const { zone } = this.#cluster!
    const outcome = await zone?.moveStores(to).then(() => 'it was done', (error: unknown) => error)
    const code = outcome instanceof ZonewrightError ? outcome.code : String(outcome)
    if (zone && code !== 'StoreBeingMoved') this.#broken(`the second of two moves was not refused: ${code}`)
  }

  /** Begun again until it is through, as an operator would. */
  async #through(): Promise<void> {
    const { world } = this.#cluster!
    const untilUs = world.nowUs + THROUGH_MS * 1_000
    let last = 'it was not begun'
    for (;;) {
      const moved = await this.#move()
      if (moved instanceof ZonewrightError) last = `${moved.code}: ${moved.message}`
      else if (moved) return
      if (world.nowUs > untilUs) this.#broken(`not through within ${THROUGH_MS} ms: ${last}`)
      await pause(world.clock, AGAIN_MS)
    }
  }

  /** Undefined where the process ended. */
  async #move(): Promise<Migration | ZonewrightError | undefined> {
    const cluster = this.#cluster!
    const { zone, boot } = cluster
    if (!zone || !boot) return undefined
    this.attempts++
    const ended = new Promise<undefined>((resolve) => boot.main.onEnd(() => resolve(undefined)))
    return Promise.race([ended, zone.moveStores(to).catch((error: unknown) => {
      if (error instanceof ZonewrightError) return error
      throw error
    })])
  }

  /** All are there, and whoever moves them again finds nothing to do. */
  async #nothingLeft(): Promise<void> {
    const { world } = this.#cluster!
    let moved = await this.#move()
    while (!moved || moved instanceof ZonewrightError) {
      await pause(world.clock, AGAIN_MS)
      await this.#serves()
      moved = await this.#move()
    }
    const left = moved.stores.filter(({ before, phase }) => !before || phase !== 'done').map(({ name }) => name)
    if (left.length > 0) this.#broken(`a move after the last had something to do: ${left.join(', ')}`)
    const names = moved.stores.map(({ name }) => name)
    if (names.join() !== this.stores!.retired.join()) {
      this.#broken(`moved: ${names.join()}, retired: ${this.stores!.retired.join()}`)
    }
  }

  async #store(): Promise<{ readonly id: string; readonly revision: number }> {
    for (;;) {
      try {
        const { store } = await this.#cluster!.zone!.get(SystemConfig).trust({})
        return store
      } catch (error) {
        if (!(error instanceof ZonewrightError)) throw error
        await pause(this.#cluster!.world.clock, AGAIN_MS)
        await this.#serves()
      }
    }
  }

  async #serves(): Promise<void> {
    const cluster = this.#cluster!
    const { world } = cluster
    const untilUs = world.nowUs + THROUGH_MS * 1_000
    for (;;) {
      const actors = cluster.zone?.hosts().flatMap((host) => host.actors)
      if (actors && !actors.some(({ state }) => state === 'failed')) return
      // What died too often while etcd was away stays down until somebody starts it
      if (actors) await cluster.restart()
      if (world.nowUs > untilUs) {
        const { boot } = cluster
        const states = boot?.hosts.hosts().flatMap(({ state, reason, actors }) =>
          [`host ${state} ${reason}`, ...actors.map((actor) => `${actor.name} ${actor.state} ${actor.reason}`)])
        const what = `boot ${boot?.number} ${boot?.state} ${boot?.error?.message ?? ''}: ${states?.join('; ')}`
        const late = `${describeMoveCase(this.#case)}: not within ${THROUGH_MS} ms, in ${what}`
        throw new InvariantBroken('liveness', late)
      }
      await pause(world.clock, 100)
    }
  }

  #broken(detail: string): never {
    throw new InvariantBroken('one-store', `${describeMoveCase(this.#case)}: ${detail}`)
  }
}
