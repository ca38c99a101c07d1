import { looseObject, safeParse, string } from 'valibot'
import { StartFailed } from '../../runtime/errors.ts'
import type { ControlDelay } from '../../runtime/sim/simulate.ts'
import { pause } from '../../runtime/within.ts'
import { CONTROL } from '../ood.ts'
import { bootSequence } from '../sequences.ts'
import { runChecked, type CheckedScene } from './checked.ts'
import { OOD, type Boot } from './cluster.ts'
import { InvariantBroken } from './invariants.ts'
import type { RunOptions } from './options.ts'
import {
  bootGraph, describeCase, linearExtensions, needsOf, ONCE, oodThreads, startCases, threadOf, type StartCase,
  type StartOrder,
} from './orders.ts'
import { loadActors, type RunHooks, type RunReport } from './run.ts'

/** Milliseconds in which everything is back, and between two looks. */
const BACK_MS = 60_000
const LOOK_MS = 20
const VIRTUAL_MS_MAX = 10 * 60_000
/** Between two that start: longer than a start takes; short enough that they start beside each other. */
const APART_US = 30_000
const TOGETHER_US = 1_000
/** Between two that come back: their workers do not come up at the same time. */
const BACK_APART_US = 80_000
const KEY = 'users/owner/order'

const firstBootOnly = new Set(bootSequence.steps.filter((step) => step.firstBootOnly).map(({ number }) => number))

let known: ReturnType<typeof computeCases> | undefined

/** All that there are, and how many orders are left open. Once: to count the orders takes longer than a run. */
export const allStartCases = (): ReturnType<typeof computeCases> => (known ??= computeCases())

async function computeCases() {
  const needs = needsOf((await loadActors(undefined)).definitions)
  const byBoot = linearExtensions(bootGraph(needs))
  return { cases: startCases(needs, firstBootOnly), byNeeds: linearExtensions(needs), byBoot }
}

export interface StartOrderReport extends RunReport {
  readonly case: StartCase
  /** Virtual milliseconds from the crash until all served again. */
  readonly backMs: number
  /** All that was to come back while the host stayed up did, in the forced order. */
  readonly cameBack: boolean
}

/** The case that the seed counts up to. */
export async function runStartOrder(
  { seed, keys }: Pick<RunOptions, 'seed' | 'keys'>, hooks: RunHooks = {},
): Promise<StartOrderReport> {
  const { cases } = await allStartCases()
  const one = cases[seed % cases.length]!
  const played = new Played(one)
  const report = await runChecked({
    seed, keys, nodes: 0, virtualMsMax: VIRTUAL_MS_MAX, controlDelayUs: played.delayUs,
  }, {
    ...hooks, onLine: (line) => {
      played.read(line)
      hooks.onLine?.(line)
    },
  }, (scene) => played.play(scene))
  return { ...report, case: one, backMs: played.backMs, cameBack: played.cameBack }
}

/** One start of an actor, as its worker was told. */
interface Run {
  /** The process of the host. */
  readonly by: string
  readonly thread: string
  /** The crash had struck. */
  readonly after: boolean
}

const RUN = /^\d+ run (\S+) > \S+\/(\S+) /

class Played {
  backMs = 0
  cameBack = false
  readonly #case: StartCase
  readonly #runs: Run[] = []
  /** The process that the crash struck. */
  #struck: Boot | undefined
  #scene!: CheckedScene

  constructor(one: StartCase) {
    this.#case = one
  }

  /** Those that may start at the same time are told one after the other. */
  readonly delayUs: ControlDelay = ({ kind, actor = '' }) => {
    if (kind !== 'run') return undefined
    const { order, back, pace } = this.#case
    const returns = this.#struck !== undefined && this.#scene.cluster.boot === this.#struck && back.includes(actor)
    if (returns) return BACK_APART_US * (1 + back.indexOf(actor))
    const place = order.indexOf(actor) - CONTROL.length
    return place < 0 ? undefined : (pace === 'apart' ? APART_US : TOGETHER_US) * (1 + place)
  }

  read(line: string): void {
    const [, by, thread] = RUN.exec(line) ?? []
    if (by !== undefined && thread !== undefined) this.#runs.push({ by, thread, after: this.#struck !== undefined })
  }

  async play(scene: CheckedScene): Promise<void> {
    this.#scene = scene
    const { cluster } = scene
    const { boot, moment } = this.#case
    const target = boot === 'first' ? 1 : 2
    const ready = (): boolean => !this.#struck && cluster.boots.length === target
    cluster.onStep.push((step) => {
      // When what is being done now has been done
      if (step > 0 && step === moment && ready()) cluster.world.clock.soon(() => ready() && this.#strike())
    })
    cluster.start()
    if (boot === 'second') {
      await this.#serves(1)
      await this.#use('first')
      await cluster.restart()
    }
    if (moment === 0) {
      const spawned = (): boolean => cluster.world.workers(OOD).length === oodThreads.length
      await this.#until(() => cluster.boots.length === target && spawned(), 1)
      this.#strike()
    } else if (moment === 'serves') {
      await this.#serves(target)
      this.#strike()
    } else await this.#until(() => this.#struck !== undefined, 1)
    const struckMs = cluster.world.nowUs / 1_000
    await pause(cluster.world.clock, LOOK_MS)
    await this.#serves(this.#case.crash === 'power-off' ? target + 1 : target)
    this.backMs = cluster.world.nowUs / 1_000 - struckMs
    this.#checkOrder()
    if (boot === 'second') await this.#holds('first')
    await this.#use('second')
  }

  #strike(): void {
    const { crash } = this.#case
    const { cluster } = this.#scene
    this.#struck = cluster.boot
    cluster.world.note(describeCase(this.#case))
    const struck = crash === 'power-off' ? cluster.powerOff()
      : crash === 'host' ? cluster.crash(OOD) : cluster.world.killWorker(OOD, crash.worker)
    if (!struck) throw new StartFailed(`There was nothing to strike: ${describeCase(this.#case)}`)
  }

  /** All of the zone, in its process of this number or a later one. */
  #serves(number: number): Promise<void> {
    const { cluster } = this.#scene
    return this.#until(() => cluster.boots.length >= number && cluster.zone !== undefined
      && cluster.zone.hosts().every(({ state, actors }) => state === 'serving'
        && actors.every((actor) => actor.state === 'serving' || actor.name === ONCE)), LOOK_MS)
  }

  async #until(reached: () => boolean, lookMs: number): Promise<void> {
    const { cluster: { world }, cluster } = this.#scene
    const untilUs = world.nowUs + BACK_MS * 1_000
    while (!reached()) {
      if (world.nowUs > untilUs) {
        const { boot } = cluster
        const states = boot?.hosts.hosts().flatMap(({ state, reason, actors }) =>
          [`host ${state} ${reason}`, ...actors.map((actor) => `${actor.name} ${actor.state} ${actor.reason}`)])
        const detail = `not within ${BACK_MS} ms, in boot ${boot?.number}: ${states?.join('; ')}`
        throw new InvariantBroken('liveness', detail)
      }
      await pause(world.clock, lookMs)
    }
  }

  /** One login, one write, one read. */
  async #use(value: string): Promise<void> {
    const { desk } = this.#scene
    const { token } = await desk.login()
    await desk.call('system_config', 'sys_config_set', { key: KEY, value }, token)
    await this.#holds(value, token)
  }

  async #holds(value: string, token?: string): Promise<void> {
    const { desk } = this.#scene
    const used = token ?? (await desk.login()).token
    const answer = await desk.call('system_config', 'sys_config_get', { key: KEY }, used)
    const found = safeParse(looseObject({ value: string() }), answer)
    if (!found.success || found.output.value !== value) {
      throw new InvariantBroken('acknowledged-write', `${KEY} does not hold what was acknowledged: ${value}`)
    }
  }

  /** From the trace: each start of the host went by the forced order, and so did what came back. */
  #checkOrder(): void {
    const { order, back, crash } = this.#case
    const { boot, boots } = this.#scene.cluster
    const later = order.filter((actor) => actor !== ONCE)
    const check = (what: string, runs: readonly Run[], whole: boolean): void => {
      const threads = runs.map(({ thread }) => thread)
      if ([order, later].some((each) => isBegun(threads, threadsOf(each), whole))) return
      throw new InvariantBroken('forced-order', `${what}: ${threads.join(' ')}, and was to be ${order.join(' ')}`)
    }
    for (const each of boots) {
      const { number } = each
      const runs = this.#runs.filter((run) => run.by === `${OOD}/${each.main.id}`)
      const last = number === boot?.number
      if (number !== this.#struck?.number) check(`boot ${number}`, runs, last || number < this.#struck!.number)
      else {
        check(`boot ${number} until the crash`, runs.filter(({ after }) => !after), false)
        const after = runs.filter((run) => run.after)
        if (crash === 'host') check(`the host's return in boot ${number}`, after, last)
        else this.#checkReturn(runs, back)
      }
    }
  }

  /** Of those that ran before: what had not begun yet goes by the order of the boot. */
  #checkReturn(runs: readonly Run[], back: StartOrder): void {
    const ran = new Set(runs.filter(({ after }) => !after).map(({ thread }) => thread))
    const last = new Map(runs.filter(({ after }) => after).map(({ thread }, index) => [thread, index]))
    const came = threadsOf(back).filter((thread) => ran.has(thread) && last.has(thread))
    const order = [...came].sort((left, right) => last.get(left)! - last.get(right)!)
    if (order.join(' ') !== came.join(' ')) {
      throw new InvariantBroken('forced-order', `what came back: ${order.join(' ')}, and was to be ${came.join(' ')}`)
    }
    this.cameBack = back.length > 0 && came.length === back.length && this.#scene.cluster.boot === this.#struck
  }
}

const threadsOf = (order: StartOrder): readonly string[] => order.map((actor) => threadOf.get(actor)!)

const isBegun = (runs: readonly string[], order: readonly string[], whole: boolean): boolean =>
  (whole ? runs.length === order.length : runs.length <= order.length) && runs.every((each, at) => each === order[at])
