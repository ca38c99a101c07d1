import { safeParse } from 'valibot'
import type { Peer } from '../actor.ts'
import {
  FrameRejected, InvalidArgument, LimitExceeded, Restarted, Unavailable, ZonewrightError, fromWire, toWire,
  type WireError,
} from '../errors.ts'
import { strikes } from '../fault-points.ts'
import { limits } from '../limits.ts'
import { closeReason } from '../platform/port-close.ts'
import type { Channel, Frame } from '../platform/ports.ts'
import { object, optional, record, string, unknown } from '../protocol.ts'
import type { Base, Link, Message } from './link.ts'
import { CLOSING, SIGNED, type Opened, type Protection } from './seal.ts'

export interface FramedLinkOptions {
  readonly channel: Channel
  readonly peer: Peer
  readonly base: Base
  readonly transcript: string
  readonly protection: Protection
  readonly onRejected: (error: ZonewrightError) => void
}

const settled = Promise.resolve()
/**
 * Microtask turns without a new message before a frame leaves. Callers that a frame has just answered ask again within
 * a few turns; waiting for the next task instead would cost a lone caller more than its whole call.
 */
const QUIET_TURNS = 2

const Closing = object({ code: string(), message: string(), details: optional(record(string(), unknown())) })

/** Gathers messages into frames and takes frames apart. A frame's body is one JSON array of messages. */
export class FramedLink implements Link {
  readonly peer: Peer
  readonly base: Base
  readonly channel: Channel['kind']
  readonly transcript: string
  readonly #channel: Channel
  readonly #protection: Protection
  readonly #onRejected: (error: ZonewrightError) => void
  #onMessage: ((message: Message, signed: boolean) => void) | undefined
  #onClose: ((error: ZonewrightError) => void) | undefined
  /** JSON of the messages that wait, and for each its flags. */
  #texts: string[] = []
  #flags: number[] = []
  #characters = 0
  #scheduled = false
  #seen = 0
  #quiet = 0
  #closed: ZonewrightError | undefined
  #unread: Frame[] = []

  constructor(options: FramedLinkOptions) {
    this.peer = options.peer
    this.base = options.base
    this.channel = options.channel.kind
    this.transcript = options.transcript
    this.#channel = options.channel
    this.#protection = options.protection
    this.#onRejected = options.onRejected
  }

  send(message: Message, signed = false): ZonewrightError | undefined {
    if (this.#closed) return undefined
    let text: string
    try {
      text = JSON.stringify(message)
    } catch (error) {
      return new InvalidArgument(`The message is not JSON: ${error instanceof Error ? error.message : 'unknown'}`)
    }
    if (text.length > limits.message) {
      return new LimitExceeded(`The message is longer than ${limits.message} characters: ${text.length}`)
    }
    this.#queue(text, signed ? SIGNED : 0)
    return undefined
  }

  sendText(text: string): void {
    if (!this.#closed) this.#queue(text, 0)
  }

  #queue(text: string, flags: number): void {
    this.#texts.push(text)
    this.#flags.push(flags)
    this.#characters += text.length
    const full = this.#texts.length >= limits.batch || this.#characters >= limits.frameFill
    if (full || strikes('link/frame-alone')) this.#flush()
    else if (!this.#scheduled) {
      this.#scheduled = true
      this.#seen = this.#quiet = 0
      void settled.then(this.#turn)
    }
  }

  /** One microtask turn: what waits leaves when nothing was added for a few of them. */
  readonly #turn = (): void => {
    const waiting = this.#texts.length
    if (waiting === this.#seen) {
      if (++this.#quiet >= QUIET_TURNS) {
        this.#scheduled = false
        this.#flush()
        if (strikes('link/closes')) this.close(new Unavailable('The link was given up'))
        return
      }
    } else {
      this.#seen = waiting
      this.#quiet = 0
    }
    void settled.then(this.#turn)
  }

  /** Many messages leave in several equal frames, so that the peer works on one while the next is made. */
  #flush(): void {
    const [texts, flags] = [this.#texts, this.#flags]
    if (texts.length === 0 || this.#closed) return
    this.#texts = []
    this.#flags = []
    this.#characters = 0
    const size = Math.ceil(texts.length / Math.ceil(texts.length / limits.share))
    for (let start = 0; start < texts.length; start += size) {
      const end = start + size
      const signed = flags.includes(SIGNED, start) && flags.indexOf(SIGNED, start) < end
      this.#channel.send(this.#protection.seal(bodyOf(texts.slice(start, end)), signed ? SIGNED : 0))
    }
  }

  receive(onMessage: (message: Message, signed: boolean) => void, onClose: (error: ZonewrightError) => void): void {
    if (this.#onMessage) throw new Error('A link has one receiver')
    this.#onMessage = onMessage
    this.#onClose = onClose
    const unread = this.#unread
    this.#unread = []
    for (const frame of unread) this.accept(frame)
    if (this.#closed) onClose(this.#closed)
  }

  /** A frame from the channel. */
  accept(frame: Frame): void {
    if (this.#closed) return
    if (!this.#onMessage) return this.#keep(frame)
    try {
      const opened = this.#protection.open(frame)
      if ((opened.flags & CLOSING) !== 0) return this.#end(closingError(opened.body))
      this.#deliver(opened, this.#onMessage)
    } catch (error) {
      if (!(error instanceof FrameRejected)) throw error
      this.#onRejected(error)
      this.close(error)
    }
  }

  #keep(frame: Frame): void {
    this.#unread.push(frame)
    if (this.#unread.length <= limits.unreadFrames) return
    this.#unread = []
    this.close(new FrameRejected('Frame rejected: nobody reads this link yet', { reason: 'unread' }))
  }

  #deliver({ body, flags }: Opened, onMessage: (message: Message, signed: boolean) => void): void {
    const messages = parseBody(body)
    const signed = (flags & SIGNED) !== 0
    for (let index = 0; index < messages.length; index++) {
      if (this.#closed) return
      onMessage(messages[index]!, signed)
    }
    // Answers that are there already need not wait for others
    this.#flush()
  }

  /** The channel closed without a word from the peer: nothing that is pending may look finished. */
  cut(reason: string): void {
    const text = `The channel to ${this.peer.actor} was cut: ${reason}`
    const sameProcess = this.channel === 'port' || this.channel === 'memory'
    const hasEnded = sameProcess || reason === closeReason.ended
    this.#end(hasEnded ? new Restarted(text) : new Unavailable(text))
  }

  close(error: ZonewrightError): void {
    if (this.#closed) return
    this.#flush()
    this.#channel.send(this.#protection.seal(JSON.stringify(toWire(error)), CLOSING))
    this.#end(error)
  }

  #end(error: ZonewrightError): void {
    if (this.#closed) return
    this.#closed = error
    this.#unread = []
    this.#texts = []
    this.#channel.close(error.code)
    this.#onClose?.(error)
  }
}

/** The brackets go into the parts, because a join is copied once, and what is put together from it once more. */
function bodyOf(texts: string[]): string {
  texts[0] = `[${texts[0]!}`
  texts[texts.length - 1] += ']'
  return texts.join()
}

function parseBody(body: string): readonly Message[] {
  let messages: unknown
  try {
    messages = JSON.parse(body)
  } catch {
    return malformed()
  }
  if (!Array.isArray(messages) || messages.length > limits.batch) return malformed()
  for (const message of messages) {
    if (!Array.isArray(message) || typeof message[0] !== 'number') return malformed()
  }
  return messages as Message[]
}

function closingError(body: string): ZonewrightError {
  try {
    const wire = safeParse(Closing, JSON.parse(body))
    if (wire.success) return fromWire(wire.output as WireError)
  } catch {
    // answered below
  }
  return malformed()
}

function malformed(): never {
  throw new FrameRejected('Frame rejected: malformed', { reason: 'malformed' })
}
