import { InvalidArgument, LimitExceeded, type ZonewrightError } from '../errors.ts'
import { limits } from '../limits.ts'
import type { Link } from './link.ts'
import { ITEM, SHARED } from './rpc.ts'

/** A stream as its items are addressed. */
export interface Addressee {
  readonly id: number
  /** Place of its last item: what is put into the batch for it later must not come before. */
  place: number
}

interface Entry {
  readonly place: number
  readonly text: string
  readonly ids: number[]
}

const settled = Promise.resolve()
/**
 * Microtask turns without a new item before the batch leaves: an actor's generator takes several from one item to the
 * next. A turn takes well below a tenth of a microsecond when nothing else is to be done.
 */
const QUIET_TURNS = 16

/**
 * Items of the streams of one link on their way into a frame. An object that several streams give is encoded once, and
 * sent once with the ids of all of them.
 */
export class ItemBatch {
  readonly #link: Link
  #entries: Entry[] = []
  /** Made anew for each batch: a `Map` that is cleared keeps garbage alive (see id-table.ts). */
  #shared = new Map<unknown, Entry>()
  #items = 0
  #places = 0
  #scheduled = false
  #seen = 0
  #quiet = 0

  constructor(link: Link) {
    this.#link = link
  }

  /** @returns why it cannot be sent */
  add(stream: Addressee, item: unknown): ZonewrightError | undefined {
    const entry = this.#encoded(stream, item)
    if (!('text' in entry)) return entry
    // The peer works on these while the next are made
    if (this.#entries.length >= limits.share) this.flush()
    else this.#flushSoon()
    return undefined
  }

  /** As `add`, of an item that nobody changes any more. The caller flushes. */
  addShared(stream: Addressee, item: unknown): ZonewrightError | undefined {
    const known = this.#shared.get(item)
    if (known && known.place >= stream.place) {
      known.ids.push(stream.id)
      stream.place = known.place
      this.#items++
    } else {
      const entry = this.#encoded(stream, item)
      if (!('text' in entry)) return entry
      this.#shared.set(item, entry)
    }
    if (this.#items >= limits.streamBatch) this.flush()
    return undefined
  }

  /** Everything else that goes to the peer comes after what is here. */
  flush(): void {
    if (this.#items === 0) return
    const entries = this.#entries
    this.#entries = []
    this.#shared = new Map()
    this.#items = 0
    for (const { ids, text } of entries) {
      this.#link.sendText(ids.length === 1 ? `[${ITEM},${ids[0]!},${text}]` : `[${SHARED},[${ids.join()}],${text}]`)
    }
  }

  #encoded(stream: Addressee, item: unknown): Entry | ZonewrightError {
    let text: string
    try {
      text = JSON.stringify(item) ?? 'null'
    } catch (error) {
      return new InvalidArgument(`The item is not JSON: ${error instanceof Error ? error.message : 'unknown'}`)
    }
    if (text.length > limits.message) {
      return new LimitExceeded(`The item is longer than ${limits.message} characters: ${text.length}`)
    }
    const entry = { place: stream.place = ++this.#places, text, ids: [stream.id] }
    this.#entries.push(entry)
    this.#items++
    return entry
  }

  #flushSoon(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    this.#seen = this.#quiet = 0
    void settled.then(this.#turn)
  }

  readonly #turn = (): void => {
    if (this.#items === this.#seen) this.#quiet++
    else [this.#seen, this.#quiet] = [this.#items, 0]
    if (this.#quiet < QUIET_TURNS) return void settled.then(this.#turn)
    this.#scheduled = false
    this.flush()
  }
}
