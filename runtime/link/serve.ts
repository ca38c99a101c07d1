import type { Principal } from '../actor.ts'
import type { Matches, Service, TraceSeed } from '../context.ts'
import { Cancelled, Denied, HandshakeFailed, Overloaded, type ZonewrightError } from '../errors.ts'
import { limits } from '../limits.ts'
import { fromBase64url } from '../trust/base64url.ts'
import { Deadlines } from './deadlines.ts'
import { IdTable } from './id-table.ts'
import { ItemBatch } from './item-batch.ts'
import { satisfies, type Link, type Message } from './link.ts'
import { BIND, CALL, CANCEL, CREDIT, HELLO, NEVER, OPEN, SEND, isCount, malformed } from './rpc.ts'
import {
  ServedCall, ServedSend, ServedStream, isThenable, type BoundToken, type Served, type Server,
} from './served.ts'

export interface ServedLink {
  readonly link: Link
  /** Calls and streams that are not answered yet. */
  readonly active: number
  close(error: ZonewrightError): void
}

/** Serves the actor's protocol on this link until it closes; what runs for it is cancelled then. */
export function serveLink(link: Link, service: Service, onClose?: (error: ZonewrightError) => void): ServedLink {
  const server = new LinkServer(link, service)
  link.receive((message, signed) => server.receive(message, signed), (error) => {
    server.end(error)
    onClose?.(error)
  })
  return {
    link,
    get active() { return server.active.size },
    close(error) {
      server.items.flush()
      link.close(error)
    },
  }
}

const settled = Promise.resolve()
/** Microtask turns before ready streams are pumped: answers to those who wrote what they tell of leave first. */
const PUMP_TURNS = 16

class LinkServer implements Server {
  readonly link: Link
  readonly service: Service
  readonly seed: TraceSeed
  readonly active = new IdTable<Served>()
  readonly items: ItemBatch
  readonly #self: Principal
  readonly #tokens: (BoundToken | undefined)[] = []
  readonly #stopUnbinding: () => void
  readonly #deadlines: Deadlines
  /** Requests behind one whose token is being verified: they keep their order. */
  #gate: Served[] | undefined
  /** Deadlines are relative to it. */
  #epoch = 0
  #greeted = false
  #ended = false
  #lastId = 0
  #streams = 0
  #ready: ServedStream[] = []
  #turns = 0

  constructor(link: Link, service: Service) {
    this.link = link
    this.service = service
    this.items = new ItemBatch(link)
    this.seed = { hex: hexOf(link.transcript) }
    const { actor, runtimeType } = link.peer
    this.#self = Object.freeze({ sub: actor, appid: actor, runtimeType, sudo: false })
    this.#stopUnbinding = service.onUnbind((matches, error) => this.#unbind(matches, error))
    this.#deadlines = new Deadlines(service.clock, (now) => this.#expire(now))
  }

  receive(message: Message, signed: boolean): void {
    if (!this.#greeted) return this.#greet(message)
    switch (message[0]) {
      case CALL:
      case SEND:
      case OPEN: return this.#request(message, signed)
      case CANCEL: return this.#cancel(message[1])
      case CREDIT: return this.#credit(message[1], message[2])
      case BIND: return this.#bind(message[1], message[2])
      default: throw malformed()
    }
  }

  #greet([kind, protocol, methodsHash, epoch = 0]: Message): void {
    if (kind !== HELLO) throw malformed()
    const { plan } = this.service
    if (protocol !== plan.protocol || methodsHash !== plan.methodsHash) {
      const text = `This actor serves ${plan.protocol} in another version`
      return this.link.close(new HandshakeFailed(text, { reason: 'protocol differs' }))
    }
    if (!isCount(epoch)) throw malformed()
    this.#epoch = epoch
    this.#greeted = true
    this.link.send([HELLO, plan.protocol, plan.methodsHash])
  }

  #request(message: Message, signed: boolean): void {
    const [kind, id, index, deadline, slot, args, traceId, spanId] = message
    const method = this.service.methods[index as number]
    if (!isCount(id) || id <= this.#lastId) throw malformed()
    if (!method || method.plan.entry.kind !== entryKind[kind as number]) throw malformed()
    if (typeof deadline !== 'number' || !isCount(slot) || slot > limits.boundTokens) throw malformed()
    if (traceId !== undefined && !(isHex(traceId, 32) && isHex(spanId, 16))) throw malformed()
    this.#lastId = id
    const Kind = kind === CALL ? ServedCall : kind === OPEN ? ServedStream : ServedSend
    const served = new Kind(this, method, id, this.#epoch + deadline, args, slot, this.#tokens[slot], signed,
      traceId as string | undefined, spanId as string | undefined)
    const refused = this.#refusal(served)
    if (refused) return served.drop(refused)
    if (kind !== SEND) this.active.add(served)
    if (kind === OPEN) this.#streams++
    if (this.#gate) this.#gate.push(served)
    else this.#admit(served)
  }

  #refusal(served: Served): ZonewrightError | undefined {
    const { plan } = served.method
    if (!satisfies(this.link.base, served.signed, plan.least)) {
      return new Denied(`${plan.name} asks for suite ${plan.least}`, { reason: 'link/suite', suite: plan.least })
    }
    const open = served instanceof ServedStream ? this.#streams >= limits.streams
      : this.active.size - this.#streams + (this.#gate?.length ?? 0) >= limits.inFlight
    return open ? new Overloaded(`Too many calls of one link are in flight: ${this.active.size}`) : undefined
  }

  /** Finds out who the request speaks for, then hands it on. */
  #admit(served: Served): void {
    const now = this.service.clock.now()
    let verdict: Principal | Promise<Principal>
    try {
      verdict = this.#principalOf(served, now)
    } catch (error) {
      return served.failed(error)
    }
    if (!(verdict instanceof Promise)) {
      served.principal = verdict
      return served.admit(now)
    }
    this.#gate = []
    verdict.then((principal) => {
      served.principal = principal
      if (!served.cancelled) served.admit(this.service.clock.now())
    }, (error) => served.failed(error)).then(() => this.#openGate())
  }

  #openGate(): void {
    const gate = this.#gate ?? []
    this.#gate = undefined
    for (const served of gate) {
      if (this.#gate) (this.#gate as Served[]).push(served)
      else if (!served.cancelled) this.#admit(served)
    }
  }

  #principalOf(served: Served, now: number): Principal | Promise<Principal> {
    if (served.slot === 0) return this.#self
    const token = served.boundToken
    if (token === undefined) throw new Denied('No token is bound to this number', { reason: 'link/no-token' })
    const { index, name } = served.method.plan
    // By a clock that was set back they would hold for longer than they were given
    if (now < token.askedMs) token.verdicts.fill(undefined)
    token.askedMs = now
    const known = token.verdicts[index]
    // Only a verdict that says when it ends is kept
    if (known && known.expires! > now) return known
    token.verdicts[index] = undefined
    const { authenticate } = this.service.lifecycle
    if (!authenticate) throw new Denied('This actor takes no tokens', { reason: 'link/takes-no-tokens' })
    const verdict = authenticate(token.token, this.link.peer, { method: name, link: this.link.transcript })
    const keep = (principal: Principal): Principal => {
      if (principal.expires !== undefined) token.verdicts[index] = principal
      return principal
    }
    return isThenable<Principal>(verdict) ? Promise.resolve(verdict).then(keep) : keep(verdict)
  }

  #bind(slot: unknown, token: unknown): void {
    if (!isCount(slot) || slot === 0 || slot > limits.boundTokens) throw malformed()
    if (typeof token !== 'string' || token.length > limits.token) throw malformed()
    this.#tokens[slot] = { token, verdicts: [], askedMs: 0 }
  }

  #unbind(matches: Matches, error: ZonewrightError): void {
    for (const bound of this.#tokens) {
      bound?.verdicts.forEach((principal, index) => {
        if (principal && matches(principal)) bound.verdicts[index] = undefined
      })
    }
    for (const served of this.active.values()) {
      if (!(served instanceof ServedStream) || served.slot === 0 || !served.principal) continue
      if (!matches(served.principal)) continue
      served.drop(error)
      served.cancel(error)
    }
  }

  #cancel(id: unknown): void {
    const served = this.active.get(id as number)
    if (!served) return this.#past(id)
    this.finish(served)
    served.cancel(new Cancelled('The caller cancelled the call'))
  }

  #credit(id: unknown, items: unknown): void {
    const served = this.active.get(id as number)
    if (!served) return this.#past(id)
    if (!(served instanceof ServedStream) || !isCount(items) || !served.writer.add(items)) throw malformed()
  }

  /** Word about a call that has ended meanwhile is no fault; about one that was never made it is. */
  #past(id: unknown): void {
    if (!isCount(id) || id > this.#lastId) throw malformed()
  }

  finish(served: Served): void {
    if (this.active.delete(served.id) && served instanceof ServedStream) this.#streams--
  }

  watch(deadline: number): void {
    if (!this.#ended && deadline < NEVER) this.#deadlines.add(deadline)
  }

  ready(stream: ServedStream): void {
    stream.waiting = true
    if (this.#ready.push(stream) > 1) return
    this.#turns = 0
    void settled.then(this.#pump)
  }

  readonly #pump = (): void => {
    if (++this.#turns < PUMP_TURNS) return void settled.then(this.#pump)
    const ready = this.#ready
    this.#ready = []
    for (const stream of ready) {
      stream.waiting = false
      stream.writer.pump()
    }
    this.items.flush()
  }

  #expire(now: number): number {
    let next = Infinity
    for (const served of this.active.values()) {
      if (served.deadline <= now) served.expire()
      else if (served.deadline < next) next = served.deadline
    }
    return next >= NEVER ? Infinity : next
  }

  end(error: ZonewrightError): void {
    if (this.#ended) return
    this.#ended = true
    this.#deadlines.close()
    this.#stopUnbinding()
    this.#gate = undefined
    const active = this.active.values()
    this.active.clear()
    for (const served of active) served.cancel(new Cancelled(`The caller is gone: ${error.message}`))
  }
}

const entryKind: Readonly<Record<number, string>> = { [CALL]: 'call', [SEND]: 'send', [OPEN]: 'stream' }

const isHex = (value: unknown, length: number): value is string =>
  typeof value === 'string' && value.length === length && /^[0-9a-f]+$/.test(value)

function hexOf(transcript: string): string {
  const bytes = fromBase64url(transcript)
  if (!bytes) throw new Error('The transcript of a link is base64url')
  return Array.from(bytes.subarray(0, 14), (byte) => byte.toString(16).padStart(2, '0')).join('')
}
