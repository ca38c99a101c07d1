import type { ActorDefinition } from '../actor.ts'
import { fromWire, messageOf, toWire, ZonewrightError } from '../errors.ts'
import type { WorkerControl } from '../worker.ts'
import { shortDigest } from './digest.ts'
import { ChannelEnd } from './network.ts'
import type { Lane, Schedule } from './schedule.ts'
import type { SimulatedThread } from './thread.ts'

export interface RemoteControlOptions {
  /** What the worker answers with. */
  readonly real: WorkerControl
  readonly schedule: Schedule
  /** Of a call, which may be about one actor. */
  readonly delayUs: (kind: string, actor?: string) => number
  readonly parent: SimulatedThread
  readonly thread: SimulatedThread
  readonly toWorker: Lane
  /** Delivers something to the parent. */
  readonly tell: (kind: string, payload: string, task: () => void, actor?: string) => void
  readonly modules: ReadonlyMap<string, ActorDefinition>
}

/**
 * Each call and each answer is an event of its own, with copies of what crosses, if anybody could change it. As on
 * threads, a call to a worker that has ended never settles.
 */
export function remoteControl(options: RemoteControlOptions): WorkerControl {
  const { real, schedule, delayUs, parent, thread, toWorker, tell, modules } = options
  // A module's URL says where this checkout lies; in the trace its protocol stands for it
  const described = (args: readonly unknown[]): string => JSON.stringify(args, (key, value: unknown) =>
    key === 'module' ? modules.get(String(value))?.protocol.name : digestIfImmutable(value))
  type Method = keyof WorkerControl
  type Call<T> = (copy: readonly unknown[]) => Promise<T>
  const ask = <T>(method: Method, args: readonly unknown[], call: Call<T>): Promise<T> =>
    new Promise<T>((resolve, reject) => {
      const answered = schedule.waiting(parent, `${method} of ${thread.name}`)
      if (!parent.alive || !thread.alive) return
      const actor = actorOf(args)
      const copy = transfer(args, thread) as readonly unknown[]
      const answer = (payload: string, settle: () => void): void => {
        if (thread.alive) tell(`${method}-answer`, payload, settle, actor)
      }
      schedule.inOrder({
        to: thread, lane: toWorker, delayUs: delayUs(method, actor), kind: method, from: parent.name,
        payload: described(args), task: () => {
          void call(copy).then((value) => answer(JSON.stringify(value) ?? '', () => {
            answered()
            resolve(transfer(value, parent) as T)
          }), (error: unknown) => answer(messageOf(error), () => {
            answered()
            reject(acrossThreads(error))
          }))
        },
      })
    })
  type Args<K extends Method> = Parameters<WorkerControl[K]>
  return {
    load: (...args) => ask('load', args, (copy) => real.load(...(copy as Args<'load'>))),
    run: (...args) => ask('run', args, (copy) => real.run(...(copy as Args<'run'>))),
    introduce: (...args) => ask('introduce', args, (copy) => real.introduce(...(copy as Args<'introduce'>))),
    trust: (...args) => ask('trust', args, (copy) => real.trust(...(copy as Args<'trust'>))),
    detach: (...args) => ask('detach', args, (copy) => real.detach(...(copy as Args<'detach'>))),
    release: (...args) => ask('release', args, (copy) => real.release(...(copy as Args<'release'>))),
    carry: (...args) => ask('carry', args, (copy) => real.carry(...(copy as Args<'carry'>))),
    releaseCarried: (...args) => ask('releaseCarried', args, (copy) =>
      real.releaseCarried(...(copy as Args<'releaseCarried'>))),
    accepted: (...args) => ask('accepted', args, (copy) => real.accepted(...(copy as Args<'accepted'>))),
    acceptedGone: (...args) => ask('acceptedGone', args, (copy) =>
      real.acceptedGone(...(copy as Args<'acceptedGone'>))),
    inspect: () => ask('inspect', [], () => real.inspect()),
    beat: () => ask('beat', [], () => real.beat()),
    moveStore: (...args) => ask('moveStore', args, (copy) => real.moveStore(...(copy as Args<'moveStore'>))),
    renewCredentials: (...args) => ask('renewCredentials', args, (copy) =>
      real.renewCredentials(...(copy as Args<'renewCredentials'>))),
    stop: (...args) => ask('stop', args, (copy) => real.stop(...(copy as Args<'stop'>))),
  }
}

/** Named first, or in what `load` is given. */
function actorOf([first]: readonly unknown[]): string | undefined {
  if (typeof first === 'string') return first
  return typeof first === 'object' && first !== null && 'actor' in first ? String(first.actor) : undefined
}

/** A copy, but for channel ends, which move, and for what nobody can change: a copy would tell nobody anything. */
function transfer(value: unknown, to: SimulatedThread): unknown {
  if (value instanceof ChannelEnd) {
    value.moveTo(to)
    return value
  }
  if (isImmutable(value)) return value
  return Array.isArray(value) ? value.map((each) => transfer(each, to)) : structuredClone(value)
}

/** Found to be frozen through and through. */
const immutable = new WeakSet<object>()

function isImmutable(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return typeof value !== 'function' && typeof value !== 'symbol'
  if (immutable.has(value)) return true
  const isPlain = Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype
  if (!isPlain || !Object.isFrozen(value) || !Object.values(value).every(isImmutable)) return false
  immutable.add(value)
  return true
}

const digests = new WeakMap<object, string>()

/** In the trace a digest stands for what is immutable: all hosts may be told the same list of a thousand. */
function digestIfImmutable(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !isImmutable(value)) return value
  const digest = digests.get(value) ?? shortDigest(JSON.stringify(value))
  digests.set(value, digest)
  return digest
}

/** As the adapters' control carries them: ours as their class, others as StartFailed with their message. */
const acrossThreads = (error: unknown): Error =>
  fromWire(error instanceof ZonewrightError ? toWire(error) : { code: 'StartFailed', message: messageOf(error) })

