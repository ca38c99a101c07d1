import { limits } from '../../runtime/limits.ts'
import type { By } from './places.ts'

/** Bytes that wait for a reader of this end, and for an end that gives no credit. */
export interface Load {
  unread: number
  backlog: number
}
export type Kind = keyof Load

/** A stream that holds bytes of its tunnel. */
export interface Holder {
  readonly by: By
  readonly load: Load
  /** Ends, and drops all that it holds. */
  giveWay(reason: string): void
}

const MOST = { unread: limits.tunnelUnreadBytes, backlog: limits.tunnelBacklogsBytes }
const LIMIT = { unread: 'tunnelUnreadBytes', backlog: 'tunnelBacklogsBytes' }
const WHY = { unread: 'nobody reads the stream', backlog: 'the other end does not read' }

/**
 * What the streams of one tunnel hold. When it is too much, a stream ends: of the OOD that holds most by what it has
 * passed on, of the origin behind it that does, the stream that does. Who holds less loses nothing by what others hold.
 */
export class Held {
  readonly load: Load = { unread: 0, backlog: 0 }
  readonly #holders = new Set<Holder>()

  add(holder: Holder, kind: Kind, bytes: number): void {
    const { load } = holder
    load[kind] += bytes
    this.load[kind] += bytes
    if (load.unread + load.backlog > 0) this.#holders.add(holder)
    else this.#holders.delete(holder)
  }

  relieve(): void {
    for (const kind of ['unread', 'backlog'] as const) {
      while (this.load[kind] > MOST[kind]) {
        this.#heaviest(kind).giveWay(`${WHY[kind]}: ${LIMIT[kind]} of the tunnel`)
      }
    }
  }

  #heaviest(kind: Kind): Holder {
    let among: readonly Holder[] = [...this.#holders]
    for (const at of [0, 1]) {
      const sums = new Map<string | undefined, number>()
      for (const { by, load } of among) sums.set(by[at], (sums.get(by[at]) ?? 0) + load[kind])
      const [heaviest] = [...sums].reduce((a, b) => (b[1] > a[1] ? b : a))
      among = among.filter(({ by }) => by[at] === heaviest)
    }
    return among.reduce((a, b) => (b.load[kind] > a.load[kind] ? b : a))
  }
}
