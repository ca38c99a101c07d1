import { limits } from '../../runtime/limits.ts'
import type { Frame } from '../channel.ts'
import { decodeText, encodeText } from '../frames.ts'
import { CREDIT_MAX, encodeCredit, encodeData, MORE, TEXT, violation } from './messages.ts'
import type { StreamGround } from './ground.ts'
import type { Holder, Kind, Load } from './held.ts'
import type { Source } from './outbox.ts'
import type { By } from './places.ts'
import type { StreamChannel } from './protocol.ts'

/**
 * What a piece takes beside its bytes, of credit and of what may be held: an empty frame is not free. Both ends count
 * alike.
 */
const PIECE_COST = 64
/** Smaller pieces of longer frames wait for credit. */
const PIECE_MIN = 1_024
/** Frames that have left and are still in the queue: one by one, each would cost as much as the queue is long. */
const QUEUE_CUT = 32

interface Outgoing {
  readonly bytes: Uint8Array
  readonly flags: number
}

interface Unread {
  readonly frame: Frame
  readonly cost: number
}

/** One end of a stream. The tunnel brings what the other end sends, and says when it is over. */
export class Stream implements StreamChannel, Source, Holder {
  readonly kind = 'tunnel'
  readonly id: number
  readonly by: By
  readonly load: Load = { unread: 0, backlog: 0 }
  readonly #ground: StreamGround
  #listeners: { onFrame: (frame: Frame) => void; onClose: (reason: string) => void } | undefined
  #onDrained: (() => void) | undefined
  #held = false

  #queue: Outgoing[] = []
  /** Where the first that has not left is, and how many bytes of it have. */
  #head = 0
  #offset = 0
  #queuedCost = 0
  #credit: number
  #waits = false

  /** What the other end may still send, what it may send again, and what it may when this end reads on. */
  #window: number
  #owed = 0
  #deferred = 0
  #unread: Unread[] = []
  /** A frame that is under way, in a buffer that grows. */
  #parts: Uint8Array | undefined
  #partsBytes = 0
  #partsText = false

  /** Why there is no more to send, and nothing more will come. */
  #closing: string | undefined
  #ending: string | undefined
  #over = false

  constructor(id: number, ground: StreamGround, by: By) {
    this.id = id
    this.by = by
    this.#ground = ground
    this.#credit = ground.peerWindow
    this.#window = ground.window
  }

  get #reading(): boolean { return this.#listeners !== undefined && !this.#held }
  get #done(): boolean { return this.#closing !== undefined || this.#ending !== undefined }

  // ---- to the other end

  get unsent(): number { return this.#queuedCost }

  get full(): boolean {
    this.#waits ||= this.#queuedCost >= limits.tunnelWindowBytes
    return this.#waits
  }

  onDrained(listener: () => void): void { this.#onDrained = listener }

  send(frame: Frame): void {
    if (this.#done) return
    const text = typeof frame === 'string'
    const bytes = text ? encodeText(frame) : frame
    if (bytes.length > limits.frame) return this.giveWay(`a frame to be sent is longer than ${limits.frame} bytes`)
    const cost = bytes.length + PIECE_COST
    this.#queue.push({ bytes, flags: text ? TEXT : 0 })
    this.#queuedCost += cost
    this.#hold('backlog', cost)
    // It goes on its way first: what leaves at once waits for nobody
    this.#ground.ready(this)
    if (this.#queuedCost > limits.tunnelBacklogBytes) this.giveWay('the other end does not read')
    this.#ground.relieve()
  }

  sendPiece(): boolean {
    const next = this.#queue[this.#head]
    if (!next) {
      if (this.#closing !== undefined) this.#ground.close(this, this.#closing)
      return false
    }
    const rest = next.bytes.length - this.#offset
    const room = this.#credit - PIECE_COST
    if (room < Math.min(rest, PIECE_MIN)) return false
    const taken = Math.min(rest, room, limits.tunnelPieceBytes)
    const last = taken === rest
    const to = this.#offset + taken
    this.#ground.send(encodeData(this.id, next.flags | (last ? 0 : MORE), next.bytes, this.#offset, to))
    this.#credit -= taken + PIECE_COST
    this.#offset = last ? 0 : to
    if (last && ++this.#head >= QUEUE_CUT && this.#head * 2 >= this.#queue.length) {
      this.#queue = this.#queue.slice(this.#head)
      this.#head = 0
    }
    this.#sent(taken + (last ? PIECE_COST : 0))
    return true
  }

  #sent(cost: number): void {
    this.#queuedCost -= cost
    this.#hold('backlog', -cost)
    if (!this.#waits || this.#queuedCost > limits.tunnelWindowBytes / 2) return
    this.#waits = false
    this.#onDrained?.()
  }

  /** @throws TunnelViolation */
  credit(amount: number): void {
    this.#credit += amount
    if (this.#credit > CREDIT_MAX) throw violation('more credit than there is')
    if (this.#queue.length > this.#head) this.#ground.ready(this)
  }

  // ---- from the other end

  hold(held: boolean): void {
    if (this.#held === held) return
    this.#held = held
    this.#readOn()
  }

  receive(onFrame: (frame: Frame) => void, onClose: (reason: string) => void): void {
    this.#listeners = { onFrame, onClose }
    if (this.#over) this.#ground.soon(() => onClose(this.#closing ?? this.#ending ?? ''))
    else this.#readOn()
  }

  /** A piece that has come. @throws TunnelViolation */
  take(flags: number, piece: Uint8Array): void {
    const cost = piece.length + PIECE_COST
    this.#window -= cost
    if (this.#window < 0) throw violation('more was sent than there was credit for')
    if (this.#done) return
    if (this.#reading) this.#owed += cost
    else this.#deferred += cost
    const text = (flags & TEXT) !== 0
    if (this.#parts && this.#partsText !== text) throw violation('a frame is half text')
    this.#partsText = text
    if ((flags & MORE) !== 0) this.#keepPart(piece)
    else this.#arrive(this.#whole(piece), cost)
    this.#giveCredit()
  }

  #arrive(bytes: Uint8Array, cost: number): void {
    const frame = this.#partsText ? decodeText(bytes) : bytes
    if (frame === undefined) throw violation('a text is not UTF-8')
    if (this.#reading && this.#unread.length === 0) return this.#listeners!.onFrame(frame)
    const held = Math.max(cost, bytes.length)
    this.#unread.push({ frame, cost: held })
    this.#hold('unread', held)
    this.#ground.relieve()
  }

  #keepPart(piece: Uint8Array): void {
    const bytes = this.#partsBytes + piece.length
    if (bytes > limits.frame) throw violation('a frame is too long')
    const old = this.#parts
    if (!old || bytes > old.length) {
      const size = Math.min(limits.frame, Math.max(2 * bytes, limits.tunnelPieceBytes))
      this.#parts = new Uint8Array(size)
      if (old) this.#parts.set(old.subarray(0, this.#partsBytes))
      this.#hold('unread', size - (old?.length ?? 0))
      this.#ground.relieve()
      // It was this one that had to give way
      if (this.#done) return
    }
    this.#parts!.set(piece, this.#partsBytes)
    this.#partsBytes = bytes
  }

  /** Bytes of its own: what came in is a view into others. */
  #whole(piece: Uint8Array): Uint8Array {
    const parts = this.#parts
    if (!parts) return new Uint8Array(piece)
    const bytes = new Uint8Array(this.#partsBytes + piece.length)
    if (bytes.length > limits.frame) throw violation('a frame is too long')
    bytes.set(parts.subarray(0, this.#partsBytes))
    bytes.set(piece, this.#partsBytes)
    this.#dropParts()
    return bytes
  }

  #dropParts(): void {
    if (this.#parts) this.#hold('unread', -this.#parts.length)
    this.#parts = undefined
    this.#partsBytes = 0
  }

  #readOn(): void {
    while (this.#reading && !this.#over && this.#closing === undefined) {
      const next = this.#unread.shift()
      if (!next) break
      this.#hold('unread', -next.cost)
      this.#listeners!.onFrame(next.frame)
    }
    if (!this.#reading || this.#over) return
    if (this.#ending !== undefined) return this.#finish(this.#ending)
    this.#owed += this.#deferred
    this.#deferred = 0
    this.#giveCredit()
  }

  #giveCredit(): void {
    if (this.#done || this.#owed < this.#ground.window / 4) return
    this.#window += this.#owed
    this.#ground.send(encodeCredit(this.id, this.#owed))
    this.#owed = 0
  }

  // ---- the end

  close(reason: string): void {
    if (this.#over || this.#closing !== undefined) return
    this.#closing = reason
    this.#dropUnread()
    // The other end has closed already: there is nobody to tell
    if (this.#ending === undefined) {
      this.#ground.ready(this)
      this.#ground.lingers(this)
    }
    this.#ground.soon(() => this.#finish(reason))
  }

  /** As `close`, but what waits to be sent is dropped, and of a stream that has ended what nobody has read. */
  giveWay(reason: string): void {
    this.#dropQueue()
    if (this.#closing === undefined) this.close(reason)
    else this.cut()
  }

  /** It has taken too long to send what was left. */
  cut(): void {
    this.#dropQueue()
    if (this.#closing !== undefined && this.#ending === undefined) this.#ground.close(this, this.#closing)
  }

  /** The other end has closed, or is gone: what came before is still read. Never after `close` was told to it. */
  ended(reason: string): void {
    if (this.#ending !== undefined) return
    this.#ending = reason
    this.#dropQueue()
    this.#dropParts()
    if (this.#reading && this.#unread.length === 0) this.#finish(reason)
  }

  #dropQueue(): void {
    this.#queue = []
    this.#head = this.#offset = 0
    this.#hold('backlog', -this.#queuedCost)
    this.#queuedCost = 0
    this.#waits = false
  }

  #dropUnread(): void {
    for (const { cost } of this.#unread) this.#hold('unread', -cost)
    this.#unread = []
    this.#dropParts()
  }

  #hold(kind: Kind, bytes: number): void { this.#ground.hold(this, kind, bytes) }

  #finish(reason: string): void {
    if (this.#over) return
    this.#over = true
    this.#listeners?.onClose(reason)
  }
}
