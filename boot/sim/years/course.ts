import { mounts } from '../../../actors/cert-manager/inventory.ts'
import type { Points } from '../../../runtime/sim/points.ts'
import type { World } from '../../../runtime/sim/simulate.ts'
import type { CrashPoint } from '../../../runtime/fault-points.ts'
import { ZonewrightError } from '../../../runtime/errors.ts'
import type { SeededRandom } from '../../../runtime/sim/random.ts'
import { pause } from '../../../runtime/within.ts'
import type { ControlPlane, Serving } from './control-plane.ts'
import type { Holder } from './holder.ts'
import { AWAY_MS_MAX, type Promises } from './promises.ts'
import { OOD } from './start.ts'

const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
/** Two clocks are less apart than the vault dates back what it signs. */
const CLOCK_MS = 14 * SECOND

export interface CourseOptions {
  readonly world: World
  readonly random: SeededRandom
  readonly plane: ControlPlane
  readonly holders: readonly Holder[]
  readonly promises: Promises
  readonly years: number
}

/** What happens in the years: by people, and by what goes wrong. All of it is drawn from the seed. */
export class Course {
  readonly counts = {
    cuts: 0, points: 0, hostCuts: 0, clockSteps: 0, clocksAside: 0, revocations: 0, terms: 0, hubKeys: 0,
  }
  /** Of the vault: it dies there the next time. */
  armed: CrashPoint | undefined
  readonly #options: CourseOptions
  #over = false

  constructor(options: CourseOptions) {
    this.#options = options
  }

  readonly points: Points = {
    strikes: () => false,
    crashes: (point, at) => {
      if (point !== this.armed || !at.startsWith(`${OOD}/`)) return false
      this.armed = undefined
      this.counts.points++
      return true
    },
    saw() {},
  }

  /** @returns what ends it */
  start(): () => void {
    const { world } = this.#options
    // A power cut may keep the beginning of what was being written
    world.tearWrites(OOD, true)
    const every = (name: string, days: number, act: (random: SeededRandom) => Promise<void> | void): void => {
      const random = this.#options.random.fork(name)
      const go = async (): Promise<void> => {
        while (!this.#over) {
          await pause(world.clock, MINUTE * random.within([360, Math.ceil(2 * days * (DAY / MINUTE))]))
          if (!this.#over) await act(random)
        }
      }
      go().catch((error: Error) => world.fail(error))
    }
    // As often in a short span as in a long one
    const { years } = this.#options
    every('cut', 30 * years, (random) => this.#cut(random))
    every('host cut', 6 * years, (random) => this.#cutHost(random))
    every('clock', 6 * years, (random) => this.#stepClock(random))
    every('clock aside', 24 * years, (random) => this.#clockAside(random))
    every('revoke', 9 * years, (random) => this.#revoke(random))
    every('barrier', 24 * years, (random) => this.#rotateBarrier(random))
    every('hub key', 24 * years, (random) => this.#rotateHubKey(random))
    every('survey', 1 + 2 * years, () => this.#ask(async (serving) => this.#options.promises.survey(serving)))
    return () => void (this.#over = true)
  }

  /** By the hand of an operator, tried again until it is done. */
  async #ask<T>(ask: (serving: Serving) => Promise<T>): Promise<T> {
    const { world, plane } = this.#options
    for (;;) {
      try {
        const main = world.startProcess('desk')
        const answer = await plane.call({ host: 'desk', main }, ask)
        main.kill()
        return answer
      } catch (error) {
        if (!(error instanceof ZonewrightError) || error.code !== 'Unavailable') throw error
        await pause(world.clock, MINUTE)
      }
    }
  }

  /** Away for a moment, mostly. */
  #cut(random: SeededRandom): void {
    const isLong = random.within([0, 2]) === 0
    const forMs = random.within(isLong ? [MINUTE, AWAY_MS_MAX] : [SECOND, 30 * SECOND])
    // In the middle of something, whenever there is something
    const { world, plane, holders } = this.#options
    const ood = holders.find(({ host }) => host === OOD)!
    plane.serving?.rounds.wake()
    world.clock.after(random.within([1, 40]), () => {
      if (!plane.powerOff(forMs)) return
      this.counts.cuts++
      this.#down(ood, forMs)
    })
  }

  #cutHost(random: SeededRandom): void {
    const { holders } = this.#options
    const nodes = holders.filter(({ host }) => host !== OOD)
    const holder = nodes[random.within([0, nodes.length])]
    if (!holder) return
    const forMs = random.within([0, 3]) === 0 ? random.within([HOUR, 4 * DAY]) : random.within([MINUTE, HOUR])
    if (!holder.alive || this.#options.promises.aside.has(holder.host)) return
    this.counts.hostCuts++
    this.#down(holder, forMs)
  }

  #down(holder: Holder, forMs: number): void {
    const { world, promises } = this.#options
    holder.powerOff()
    promises.forget(holder)
    world.clock.after(forMs, () => holder.start())
  }

  /** As a time server corrects it. */
  #stepClock(random: SeededRandom): void {
    const { world, holders } = this.#options
    const { host } = holders[random.within([0, holders.length - 1])]!
    if (this.#options.promises.aside.has(host)) return
    this.counts.clockSteps++
    world.stepClock(host, random.within([0, CLOCK_MS]) - world.aheadMs(host))
  }

  /** A node whose clock nobody sets for a while: what it takes for true meanwhile must not stay with it. */
  async #clockAside(random: SeededRandom): Promise<void> {
    const { world, holders, promises } = this.#options
    const nodes = holders.filter(({ host }) => host !== OOD)
    const holder = nodes[random.within([0, nodes.length])]
    if (!holder) return
    const ms = random.within([20 * MINUTE, 9 * HOUR]) * (random.within([0, 1]) === 0 ? 1 : -1)
    promises.aside.add(holder.host)
    this.counts.clocksAside++
    world.stepClock(holder.host, ms)
    holder.fetchSoon()
    await pause(world.clock, random.within([MINUTE, HOUR]))
    world.stepClock(holder.host, -world.aheadMs(holder.host))
    promises.aside.delete(holder.host)
    promises.forget(holder)
    holder.clockSet()
  }

  /** Somebody has lost a key. */
  async #revoke(random: SeededRandom): Promise<void> {
    const { world, holders, promises } = this.#options
    const holder = holders[random.within([0, holders.length - 1])]!
    const { shown } = holder
    if (!shown || !holder.alive || promises.aside.has(holder.host)) return
    this.counts.revocations++
    const { done } = promises.revoking(shown)
    const { serial } = shown
    const reason = 'keyCompromise'
    await this.#ask(async ({ as, published, rounds }) => {
      if (holder.host === OOD) await as('cert-manager').revokeCertificate({ mount: 'pki', serial, reason })
      // Also a newer certificate, whose answer it lost
      else await as('enrolment').revokeHost({ host: holder.host, by: 'owner' })
      await published.lists(mounts)
      rounds.wake()
    })
    done()
    world.clock.after(random.within([MINUTE, 8 * HOUR]), () => {
      // It may have learned by itself
      if (holder.alive && holder.shown?.serial === serial) holder.startAnew()
    })
  }

  async #rotateBarrier(random: SeededRandom): Promise<void> {
    const points = [undefined, 'vault/rotated', 'vault/re-encrypted'] as const
    this.armed = points[random.within([0, points.length - 1])]
    await this.#ask(async ({ as }) => void await as('supervisor').rotateBarrier({ reencrypt: true }))
    this.counts.terms++
  }

  /** After which all that lies there is of one term. */
  async lastTerm(): Promise<number> {
    this.armed = undefined
    const { term } = await this.#ask(({ as }) => as('supervisor').rotateBarrier({ reencrypt: true }))
    return term
  }

  /** As verify-hub rotates its own: read once by each incarnation, and the one before it destroyed. */
  async #rotateHubKey(random: SeededRandom): Promise<void> {
    if (random.within([0, 1]) === 0) this.armed = 'vault/key-made'
    await this.#ask(async ({ as }) => void await as('scheduler').ensureKey({ name: 'verify-hub' }))
    const versions = await this.#ask(({ as }) => as('verify-hub').keyVersions({ name: 'verify-hub' }))
    const newest = versions.at(-1)!.kid
    const next = await this.#ask(({ as }) => as('verify-hub').rotateKey({ name: 'verify-hub', after: newest }))
    await this.#ask(({ as }) => as('verify-hub').destroyKeysBefore({ name: 'verify-hub', kid: next.kid }))
    this.counts.hubKeys++
  }
}
