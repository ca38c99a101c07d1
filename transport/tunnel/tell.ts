import { limits } from '../../runtime/limits.ts'
import { encodeControl, violation, type ControlOf } from './messages.ts'
import type { Source } from './outbox.ts'
import type { TellKind } from './protocol.ts'

/** As JSON, no more than six times as long: a message may be longer than that. */
const PIECE_CHARACTERS = 8_192
/** Of one that is not the last: of shorter ones there could be very many. */
const PIECE_CHARACTERS_MIN = 1_024

/** Documents on their way to the other end, in pieces between those of the streams. */
export class TellOutbox implements Source {
  readonly #send: (message: string) => void
  readonly #documents = new Map<TellKind, { readonly text: string; at: number }>()

  constructor(send: (message: string) => void) {
    this.#send = send
  }

  /** False when it is too long. */
  add(kind: TellKind, text: string): boolean {
    if (text.length > limits.tunnelDocument) return false
    this.#documents.set(kind, { text, at: 0 })
    return true
  }

  sendPiece(): boolean {
    for (const [kind, document] of this.#documents) {
      const { text, at } = document
      const piece = text.slice(at, at + PIECE_CHARACTERS)
      document.at += piece.length
      const last = document.at === text.length
      if (last) this.#documents.delete(kind)
      this.#send(encodeControl({ t: 'tell', kind, at, text: piece, last }))
      return this.#documents.size > 0
    }
    return false
  }
}

/** Documents of the other end: of each kind one that comes, one that is looked at, and one that waits for that. */
export class TellInbox {
  readonly #onTell: (kind: TellKind, document: string) => Promise<void>
  readonly #coming = new Map<TellKind, { parts: string[]; characters: number }>()
  readonly #running = new Set<TellKind>()
  readonly #waiting = new Map<TellKind, string>()
  #closed = false

  constructor(onTell: (kind: TellKind, document: string) => Promise<void>) {
    this.#onTell = onTell
  }

  /** @throws TunnelViolation */
  take({ kind, at, text, last }: ControlOf<'tell'>): void {
    const coming = at === 0 ? { parts: [], characters: 0 } : this.#coming.get(kind)
    if (!coming || coming.characters !== at) throw violation('a document out of order')
    if (text.length < PIECE_CHARACTERS_MIN && !last) throw violation('a document in too small pieces')
    coming.parts.push(text)
    coming.characters += text.length
    if (coming.characters > limits.tunnelDocument) throw violation('a document is too long')
    this.#coming.set(kind, coming)
    if (!last) return
    this.#coming.delete(kind)
    const document = coming.parts.join('')
    if (this.#running.has(kind)) this.#waiting.set(kind, document)
    else void this.#run(kind, document)
  }

  close(): void {
    this.#closed = true
    this.#coming.clear()
    this.#waiting.clear()
  }

  async #run(kind: TellKind, first: string): Promise<void> {
    this.#running.add(kind)
    let document: string | undefined = first
    while (document !== undefined && !this.#closed) {
      await this.#onTell(kind, document).catch(() => {})
      document = this.#waiting.get(kind)
      this.#waiting.delete(kind)
    }
    this.#running.delete(kind)
  }
}
