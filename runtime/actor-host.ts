import {
  isServingWithLifecycle, type ActorDefinition, type ActorStart, type Evidence, type Lifecycle, type Log, type Peer,
} from './actor.ts'
import { ActorStore } from './actor-store.ts'
import { Carriage } from './carriage.ts'
import { createService, type Service } from './context.ts'
import { Denied, messageOf, Restarted, StartFailed, Unavailable, type ZonewrightError } from './errors.ts'
import { KnownDevices } from './known-devices.ts'
import { createCaller, type Caller } from './link/caller.ts'
import { establish } from './link/handshake.ts'
import type { Link } from './link/link.ts'
import { serveLink, type ServedLink } from './link/serve.ts'
import { limits } from './limits.ts'
import { createMailbox } from './mailbox.ts'
import type { Channel, Platform, SigningKey } from './platform/ports.ts'
import { createRedactor, redactError, redactEvent } from './redact.ts'
import type { Store } from './store/store.ts'
import { spanTrace } from './trace.ts'
import { createDenialLog } from './trust/denial.ts'
import { deferred, within } from './within.ts'
import type { Given, Inspection, Introduction, StartMessage, TrustedDevice, WorkerEvent } from './worker.ts'

type Clients = ActorStart['needs']

/** One actor in its worker: its links, its mailbox, and its life from start to stop. */
export interface ActorHost {
  run(given: Given): Promise<void>
  introduce(introduction: Introduction, end: unknown): Promise<void>
  trust(devices: readonly TrustedDevice[]): void
  /** Closes the links of a caller that has died. */
  release(caller: Introduction['peer']): void
  inspect(): Inspection
  readonly store: ActorStore
  readonly carriage: Carriage
  stop(withinMs: number): Promise<void>
  /** A client slot for a protocol that is not in the actor's needs: the supervisor calls whom it is asked to. */
  caller(protocol: ActorDefinition['protocol']): Caller
  callerOf(protocol: string): Caller | undefined
}

export interface ActorHostOptions {
  readonly start: StartMessage
  readonly definition: ActorDefinition
  readonly platform: Platform
  /** The link key of this incarnation. */
  readonly key: SigningKey
  readonly emit: (event: WorkerEvent) => void
}

export function createActorHost({ start, definition, platform, key, ...options }: ActorHostOptions): ActorHost {
  const { clock, random, keys } = platform
  const redactor = createRedactor()
  const emit = (event: WorkerEvent): void => options.emit(redactEvent(event, redactor))
  const origin = () => ({ host: start.host, actor: start.actor, at: clock.now() })
  const { zone, host, actor, runtimeType, incarnation } = start
  const names = { zone, host, actor, runtimeType, incarnation }
  const callers = new Map<string, Caller>()
  /** By the protocol of its caller. */
  const called = new Map<string, Link>()
  const served = new Set<ServedLink>()
  const mailbox = createMailbox({ capacity: definition.mailbox, clock })
  const stopping = new AbortController()
  const ready = deferred<{ service: Service; lifecycle: Lifecycle }>()
  const known = new KnownDevices(start, platform)
  const log = logTo((level, message, fields) => emit({ type: 'log', event: { ...origin(), level, message, fields } }))
  let state: Inspection['state'] = 'loaded'
  let framesRejected = 0
  let handshakesRefused = 0
  const counters = new Map<string, number>()
  const gauges = new Map<string, number>()
  // Spans leave the worker only when somebody asked for them
  const spans = start.spans ? spanTrace(clock, emit) : undefined
  let introductions = 0
  let links = 0
  let starting: Promise<unknown> = Promise.resolve()
  let stopped: Promise<void> | undefined
  let service: Service | undefined
  let lifecycle: Lifecycle = {}
  // Opened while the other workers load: a durable store takes as long as a module
  const own = new ActorStore({
    start, platform, stateless: definition.stateless ?? false, redactor, signal: stopping.signal, onStopped: die,
    onProgress: (progress) => emit({ type: 'move', event: { ...origin(), ...progress } }),
  })
  const carriage = new Carriage({
    carries: start.carries ?? false, actor, clock, openChannel: platform.openChannel,
    emit: (told) => emit({ type: 'carriage', event: { actor, incarnation, ...told } }),
  })

  const caller = (protocol: ActorDefinition['protocol']): Caller => {
    const found = callers.get(protocol.name)
    if (found) return found
    const created = createCaller(protocol, { clock, keys })
    callers.set(protocol.name, created)
    return created
  }
  const needs = Object.fromEntries(Object.entries(definition.needs).map(([name, protocol]) => [name, caller(protocol)]))
  const linkOptions = (introduction: Introduction) => ({
    role: introduction.role,
    self: { ...names, key, certificate: introduction.certificate },
    expect: introduction.peer, minimum: introduction.minimum, clock, keys,
    random: random.fork(`link ${++introductions} ${introduction.peer.actor}`),
    verifyCertificate: (text: string) => known.verify(text),
    onRejected: (error: ZonewrightError) => {
      framesRejected++
      log.warn(error.message, { peer: introduction.peer.actor })
    },
  })
  /** Only text inside one process: what a carrier takes over is bytes at both ends. */
  const openEnd = ({ carried }: Introduction, end: unknown): Channel =>
    (carried ? { ...platform.openChannel(end), kind: 'tunnel' } : platform.openChannel(end))
  const linked = (
    { role, protocol }: Introduction, { peer, base: suite }: Link, linkState: 'open' | 'closed', reason: string,
  ): void => {
    links += linkState === 'open' ? 1 : -1
    const { actor: name, host: peerHost, incarnation: peerIncarnation } = peer
    emit({ type: 'link', event: {
      ...origin(), peer: name, peerHost, peerIncarnation, protocol, role, state: linkState, suite, reason,
    } })
  }
  /** What a handshake was begun on may have been taken back meanwhile, or have given way to another key. */
  const stillKnown = (link: Link, since: number | undefined): boolean => {
    if (since !== undefined && known.since(link.peer.host) === since) return true
    link.close(notRegistered(link.peer))
    return false
  }

  const call = async (introduction: Introduction, end: unknown): Promise<void> => {
    const target = callers.get(introduction.protocol)
    if (!target) throw new StartFailed(`${actor} was introduced to one that it does not need: ${introduction.protocol}`)
    const since = known.since(introduction.peer.host)
    const link = await establish(openEnd(introduction, end), linkOptions(introduction))
    if (!stillKnown(link, since)) return
    linked(introduction, link, 'open', '')
    called.set(introduction.protocol, link)
    target.attach(link, (error) => {
      if (called.get(introduction.protocol) === link) called.delete(introduction.protocol)
      if (stopped) target.close(error)
      linked(introduction, link, 'closed', error.message)
    })
  }
  const serve = async (introduction: Introduction, end: unknown): Promise<void> => {
    const channel = openEnd(introduction, end)
    const { service: offered, lifecycle: offeredLife } = await ready.promise
    const since = known.since(introduction.peer.host)
    const link = await establish(channel, linkOptions(introduction)).catch((error: unknown) => {
      handshakesRefused++
      if (!stopped) log.warn(`Link refused: ${messageOf(error)}`, { peer: introduction.peer.actor })
      throw error
    })
    if (!stillKnown(link, since)) return
    if (offeredLife.admit && !offeredLife.admit(link.peer, link.base)) {
      const text = `${start.actor} does not admit ${link.peer.actor}`
      log.warn(`Link refused: ${text}`, { peer: link.peer.actor })
      return link.close(new Denied(text, { reason: 'link/not-admitted' }))
    }
    // The actor may have begun to stop meanwhile: its links are closed already
    if (stopped) return link.close(new Restarted(`${start.actor} has stopped`))
    linked(introduction, link, 'open', '')
    const one: ServedLink = serveLink(link, offered, (error) => {
      served.delete(one)
      linked(introduction, link, 'closed', error.message)
    })
    served.add(one)
  }
  return {
    caller,
    callerOf: (protocol) => callers.get(protocol),
    introduce: (introduction, end) => (introduction.role === 'initiator' ? call : serve)(introduction, end),
    trust(devices) {
      const gone = known.replace(devices)
      const open = [...called.values(), ...[...served].map(({ link }) => link)]
      for (const link of open) if (gone.has(link.peer.host)) link.close(notRegistered(link.peer))
    },
    release(caller) {
      for (const { link } of [...served]) {
        const { host: from, actor: name, incarnation: number } = link.peer
        if (from !== caller.host || name !== caller.actor || number !== caller.incarnation) continue
        link.close(new Restarted(`The caller has died: ${name}`))
      }
    },
    run(given) {
      const running = run(given).catch((error: unknown) => { throw redactError(error, redactor) })
      starting = running
      return running
    },
    inspect: () => ({
      actor: start.actor, incarnation, state, waiting: mailbox.waiting, running: mailbox.running, links, framesRejected,
      handshakesRefused, counters: Object.fromEntries(counters), gauges: Object.fromEntries(gauges),
      deadLetters: [...callers.values()].reduce((sum, each) => sum + each.deadLetters, service?.deadLetters ?? 0),
      ...carriage.inspect(),
    }),
    store: own,
    carriage,
    stop(withinMs) {
      stopped ??= stop(withinMs)
      return stopped
    },
  }

  /** Its callers are told as if its worker had ended, and it is started again. */
  function die(error: unknown): void {
    if (stopping.signal.aborted) return
    emit({ type: 'actor', event: { ...origin(), state: 'died', incarnation, reason: messageOf(error) } })
  }

  async function run(given: Given): Promise<void> {
    for (const secret of Object.values(given.secrets)) redactor.conceal(secret)
    const opened = await own.opened()
    const began = async () => definition.start(startOf(given, opened, needs))
    const serving = await began().catch(async (error: unknown) => { throw await own.whyNot(error) })
    const bare = !isServingWithLifecycle(serving)
    const handlers = bare ? serving : serving.handlers
    lifecycle = bare ? {} : serving.lifecycle
    service = createService({
      protocol: definition.protocol, handlers, lifecycle, mailbox, callers: needs, clock, keys,
      self: { host: start.host, actor: start.actor }, ...(spans ? { trace: spans.trace } : {}),
      onFault: (error, method) => log.error(`${method} failed: ${messageOf(error)}`),
    })
    if (stopped) throw new StartFailed(`${start.actor} was stopped as it started`)
    state = 'serving'
    ready.resolve({ service, lifecycle })
  }

  /** @throws StartFailed when the start function does not end; the worker is all that is left to end then */
  async function stop(withinMs: number): Promise<void> {
    const wasServing = state === 'serving'
    state = 'stopping'
    const gone = new Unavailable(`${start.actor} stops`)
    ready.reject(gone)
    mailbox.close(gone)
    // No other link comes now: what waits for one would only hold up the stop
    for (const [protocol, each] of callers) if (!called.has(protocol)) each.close(gone)
    if (wasServing) await within(clock, withinMs, mailbox.idle(), () => gone).catch(() => mailbox.drop(gone))
    stopping.abort(gone)
    // A start function that still runs has been told; what it began is not taken from under it at once
    const late = (): Error => new StartFailed(`The start function of ${start.actor} did not end`)
    await within(clock, limits.stopMs, starting.catch(() => {}), late)
    await lifecycle.stop?.().catch((error: unknown) => log.error(`Its stop failed: ${messageOf(error)}`))
    for (const link of served) link.close(new Restarted(`${start.actor} has stopped`))
    carriage.close(gone)
    for (const each of callers.values()) each.close(gone)
    await own.opening.then((store) => store.close(), () => {})
    spans?.flush()
    state = 'stopped'
  }

  function startOf(given: Given, opened: Store, needs: Readonly<Record<string, Caller>>): ActorStart {
    const { files } = start
    return {
      ...(files === undefined ? {} : { files: () => platform.host.openFolder(files) }),
      store: opened, clock, random, keys, transport: platform.transport, log, env: given.env, secrets: given.secrets,
      needs: Object.fromEntries(Object.entries(needs).map(([need, each]) => [need, each.client])) as Clients,
      stopping: stopping.signal,
      background(task) {
        task().catch(die)
      },
      step: (sequence, number, evidence) => emit({ type: 'step', event: { ...origin(), sequence, number, evidence } }),
      denials: createDenialLog({
        random: random.fork('denials'), clock,
        onDenial: ({ id, chain }) => emit({ type: 'denial', event: { ...origin(), id, chain } }),
      }),
      roleOf: (which) => known.role(which),
      unbind: (matches, error) => service?.unbind(matches, error),
      count: (sample, by = 1) => {
        const counted = counters.get(sample)
        if (counted !== undefined || counters.size < limits.counters) counters.set(sample, (counted ?? 0) + by)
      },
      gauge(sample, value) {
        if (value === undefined) gauges.delete(sample)
        else if (gauges.has(sample) || gauges.size < limits.gauges) gauges.set(sample, value)
      },
      carry: carriage.register, accept: carriage.accept,
      self: { ...names, linkKid: key.public.kid },
    }
  }
}

function logTo(write: (level: 'info' | 'warn' | 'error', message: string, fields: Evidence) => void): Log {
  return {
    info: (message, fields = {}) => write('info', message, fields),
    warn: (message, fields = {}) => write('warn', message, fields),
    error: (message, fields = {}) => write('error', message, fields),
  }
}

const notRegistered = ({ host }: Peer): ZonewrightError =>
  new Denied(`The host is not registered: ${host}`, { reason: 'link/unknown-host' })
