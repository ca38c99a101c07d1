import {
  isServingWithLifecycle, type ActorDefinition, type ActorStart, type Evidence, type Lifecycle, type Log, type Peer,
} from './actor.ts'
import { createService, type Service } from './context.ts'
import { Denied, messageOf, Restarted, StartFailed, Unavailable, type ZonewrightError } from './errors.ts'
import { createCaller, type Caller } from './link/caller.ts'
import { verifyLinkCertificate, type CertifiedPeer } from './link/certificate.ts'
import { establish } from './link/handshake.ts'
import { serveLink, type ServedLink } from './link/serve.ts'
import { limits } from './limits.ts'
import { createMailbox } from './mailbox.ts'
import type { Platform, SigningKey, VerifyKey } from './platform/ports.ts'
import type { Store } from './store/store.ts'
import { createMemoryStore } from './store/memory.ts'
import { createTrace, type TraceEvents } from './trace.ts'
import { createDenialLog } from './trust/denial.ts'
import { deferred, within } from './within.ts'
import type { Given, Inspection, Introduction, StartMessage, WorkerEvent } from './worker.ts'

type Clients = ActorStart['needs']

/** One actor in its worker: its links, its mailbox, and its life from start to stop. */
export interface ActorHost {
  run(given: Given): Promise<void>
  introduce(introduction: Introduction, end: unknown): Promise<void>
  inspect(): Inspection
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

export function createActorHost({ start, definition, platform, key, emit }: ActorHostOptions): ActorHost {
  const { clock, random, keys } = platform
  const origin = () => ({ host: start.host, actor: start.actor, at: clock.now() })
  const { zone, host, actor, runtimeType, incarnation } = start
  const names = { zone, host, actor, runtimeType, incarnation }
  const callers = new Map<string, Caller>()
  /** Protocols whose caller has a link now. */
  const reachable = new Set<string>()
  const served = new Set<ServedLink>()
  const mailbox = createMailbox({ capacity: definition.mailbox, clock })
  const stopping = new AbortController()
  const ready = deferred<{ service: Service; lifecycle: Lifecycle }>()
  const verifyCertificate = certificateVerifier(start, platform)
  const log = logTo((level, message, fields) => emit({ type: 'log', event: { ...origin(), level, message, fields } }))
  let state: Inspection['state'] = 'loaded'
  let framesRejected = 0
  let handshakesRefused = 0
  const counters = new Map<string, number>()
  let introductions = 0
  let links = 0
  let starting: Promise<unknown> = Promise.resolve()
  let stopped: Promise<void> | undefined
  let service: Service | undefined
  let lifecycle: Lifecycle = {}
  // Opened while the other workers load: a durable store takes as long as a module
  const opening = openStore()
  opening.catch(() => {})

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
    verifyCertificate,
    onRejected: (error: ZonewrightError) => {
      framesRejected++
      log.warn(error.message, { peer: introduction.peer.actor })
    },
  })
  const linked = (peer: Peer, linkState: 'open' | 'closed', suite: string, reason: string): void => {
    links += linkState === 'open' ? 1 : -1
    emit({ type: 'link', event: { ...origin(), peer: peer.actor, state: linkState, suite, reason } })
  }

  const call = async (introduction: Introduction, end: unknown): Promise<void> => {
    const target = callers.get(introduction.protocol)
    if (!target) throw new StartFailed(`${actor} was introduced to one that it does not need: ${introduction.protocol}`)
    const link = await establish(platform.openChannel(end), linkOptions(introduction))
    linked(link.peer, 'open', link.base, '')
    reachable.add(introduction.protocol)
    target.attach(link, (error) => {
      reachable.delete(introduction.protocol)
      if (stopped) target.close(error)
      linked(link.peer, 'closed', link.base, error.message)
    })
  }
  const serve = async (introduction: Introduction, end: unknown): Promise<void> => {
    const channel = platform.openChannel(end)
    const { service: offered, lifecycle: offeredLife } = await ready.promise
    const link = await establish(channel, linkOptions(introduction)).catch((error: unknown) => {
      handshakesRefused++
      throw error
    })
    if (offeredLife.admit && !offeredLife.admit(link.peer)) {
      link.close(new Denied(`${start.actor} does not admit ${link.peer.actor}`, { reason: 'link/not-admitted' }))
      return
    }
    // The actor may have begun to stop meanwhile: its links are closed already
    if (stopped) return link.close(new Restarted(`${start.actor} has stopped`))
    linked(link.peer, 'open', link.base, '')
    const one: ServedLink = serveLink(link, offered, (error) => {
      served.delete(one)
      linked(link.peer, 'closed', link.base, error.message)
    })
    served.add(one)
  }
  return {
    caller,
    callerOf: (protocol) => callers.get(protocol),
    introduce: (introduction, end) => (introduction.role === 'initiator' ? call : serve)(introduction, end),
    run(given) {
      const running = run(given)
      starting = running
      return running
    },
    inspect: () => ({
      actor: start.actor, state, waiting: mailbox.waiting, running: mailbox.running, links, framesRejected,
      handshakesRefused, counters: Object.fromEntries(counters),
      deadLetters: [...callers.values()].reduce((sum, each) => sum + each.deadLetters, service?.deadLetters ?? 0),
    }),
    stop(withinMs) {
      stopped ??= stop(withinMs)
      return stopped
    },
  }

  async function openStore(): Promise<Store> {
    return start.stores === undefined || definition.stateless
      ? createMemoryStore({ clock, random: random.fork('store') })
      : platform.stores(start.stores).open(start.actor)
  }

  async function run(given: Given): Promise<void> {
    const opened = await opening
    const serving = await definition.start(startOf(given, opened, needs))
    const bare = !isServingWithLifecycle(serving)
    const handlers = bare ? serving : serving.handlers
    lifecycle = bare ? {} : serving.lifecycle
    service = createService({
      protocol: definition.protocol, handlers, lifecycle, mailbox, callers: needs, clock, keys,
      self: { host: start.host, actor: start.actor }, ...(start.spans ? { trace: spanTrace(emit) } : {}),
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
    for (const [protocol, each] of callers) if (!reachable.has(protocol)) each.close(gone)
    if (wasServing) await within(clock, withinMs, mailbox.idle(), () => gone).catch(() => mailbox.drop(gone))
    stopping.abort(gone)
    // A start function that still runs has been told; what it began is not taken from under it at once
    const late = (): Error => new StartFailed(`The start function of ${start.actor} did not end`)
    await within(clock, limits.stopMs, starting.catch(() => {}), late)
    await lifecycle.stop?.().catch((error: unknown) => log.error(`Its stop failed: ${messageOf(error)}`))
    for (const link of served) link.close(new Restarted(`${start.actor} has stopped`))
    for (const each of callers.values()) each.close(gone)
    await opening.then((store) => store.close(), () => {})
    state = 'stopped'
  }

  function startOf(given: Given, opened: Store, needs: Readonly<Record<string, Caller>>): ActorStart {
    return {
      store: opened, clock, random, keys, transport: platform.transport, log, env: given.env, secrets: given.secrets,
      needs: Object.fromEntries(Object.entries(needs).map(([need, each]) => [need, each.client])) as Clients,
      stopping: stopping.signal,
      background(task) {
        task().catch((error: unknown) => {
          if (stopping.signal.aborted) return
          emit({ type: 'actor', event: { ...origin(), state: 'died', incarnation, reason: messageOf(error) } })
        })
      },
      step: (sequence, number, evidence) => emit({ type: 'step', event: { ...origin(), sequence, number, evidence } }),
      denials: createDenialLog({
        random: random.fork('denials'), clock,
        onDenial: ({ id, chain }) => emit({ type: 'denial', event: { ...origin(), id, chain } }),
      }),
      count: (sample, by = 1) => {
        const counted = counters.get(sample)
        if (counted !== undefined || counters.size < limits.counters) counters.set(sample, (counted ?? 0) + by)
      },
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

/** Spans leave the worker only when somebody asked for them. */
function spanTrace(emit: (event: WorkerEvent) => void) {
  const trace = createTrace()
  trace.on('span', (event: TraceEvents['span']) => emit({ type: 'span', event }))
  return trace
}

/** DESIGN: chain owner → device → actor; kernel names only from an OOD. */
function certificateVerifier(start: StartMessage, { keys, clock }: Platform): (text: string) => CertifiedPeer {
  const devices = new Map<string, { role: 'ood' | 'node'; key: VerifyKey }>()
  for (const { host, role, jwk } of start.devices) devices.set(host, { role, key: keys.importJwk(jwk) })
  const kernel = new Set(start.kernelActors)
  return (text) => verifyLinkCertificate(text, {
    keys, zone: start.zone, nowMs: clock.now(), device: (host) => devices.get(host),
    allows: (_host, role, actor) => role === 'ood' || !kernel.has(actor),
  })
}
