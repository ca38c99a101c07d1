import * as Comlink from 'comlink'
import { fromWire, toWire, ZonewrightError, type WireError } from '../errors.ts'
import type { WorkerControl, WorkerEvent } from '../worker.ts'

type Ports = Parameters<typeof Comlink.transfer>[1]

/** What a worker exposes to its supervisor. */
export interface ExposedControl extends WorkerControl {
  observe(listener: (event: WorkerEvent) => void): void
}

/** Comlink marks what was thrown by this symbol of its own, which it does not export: it is found by a probe. */
const THROWN = findThrowMarker()

function findThrowMarker(): symbol {
  const own = Comlink.transferHandlers.get('throw')
  let marker: symbol | undefined
  own?.canHandle(new Proxy({}, { has: (_, key) => ((marker = key as symbol), true) }))
  if (!marker) throw new Error('This Comlink has no throw handler')
  return marker
}

/**
 * Comlink loses the class and the code of an error. Ours cross as data, like on links; others keep their message,
 * since the supervisor and its workers are one program.
 */
Comlink.transferHandlers.set('throw', {
  canHandle: (value): value is { value: unknown } => typeof value === 'object' && value !== null && THROWN in value,
  serialize({ value }: { value: unknown }) {
    const wire = value instanceof ZonewrightError
      ? toWire(value)
      : { code: 'StartFailed', message: value instanceof Error ? value.message : String(value) }
    return [{ wire, stack: value instanceof Error ? value.stack : undefined }, []]
  },
  deserialize({ wire, stack }: { wire: WireError; stack?: string }) {
    const error = fromWire(wire)
    if (stack !== undefined) error.stack = stack
    throw error
  },
})

/** The control of a worker behind a Comlink proxy: ports are transferred, events arrive by a callback. */
export function remoteControl(remote: Comlink.Remote<ExposedControl>): {
  control: WorkerControl
  onEvent: (listener: (event: WorkerEvent) => void) => void
  /** Of a worker that ended: else Comlink does so whenever the garbage collector finds it. */
  release: () => void
} {
  const control: WorkerControl = {
    load: (start) => remote.load(start),
    run: (actor, given, introductions, ends) =>
      remote.run(actor, given, introductions, Comlink.transfer([...ends], ends as Ports)),
    introduce: (actor, introduction, end) =>
      remote.introduce(actor, introduction, Comlink.transfer(end, [end] as Ports)),
    trust: (devices) => remote.trust(devices),
    detach: (actor, protocol, reason, hasEnded) => remote.detach(actor, protocol, reason, hasEnded),
    release: (actor, caller) => remote.release(actor, caller),
    carry: (actor, id, wanted, end) => remote.carry(actor, id, wanted, Comlink.transfer(end, [end] as Ports)),
    releaseCarried: (actor, id) => remote.releaseCarried(actor, id),
    accepted: (actor, id, outcome, end) =>
      remote.accepted(actor, id, outcome, end === undefined ? end : Comlink.transfer(end, [end] as Ports)),
    acceptedGone: (actor, id) => remote.acceptedGone(actor, id),
    inspect: () => remote.inspect(),
    beat: () => remote.beat(),
    moveStore: (actor, to) => remote.moveStore(actor, to),
    renewCredentials: (credentials) => remote.renewCredentials(credentials),
    stop: (actor, withinMs) => remote.stop(actor, withinMs),
  }
  // Whoever listens here and throws must not fail the worker that told: the error stays on this side
  const onEvent = (listener: (event: WorkerEvent) => void): void => {
    const told = (event: WorkerEvent): void => void Promise.resolve(event).then(listener)
    void remote.observe(Comlink.proxy(told))
  }
  let released = false
  const release = (): void => {
    // Twice is an error to Comlink; a worker may be ended twice
    if (!released) remote[Comlink.releaseProxy]()
    released = true
  }
  return { control, onEvent, release }
}
