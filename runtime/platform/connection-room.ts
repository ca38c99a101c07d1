import type { Server, Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { limits } from '../limits.ts'
import type { ConnectionRoom, TlsStreams } from './tls-ports.ts'
import { tlsPeerOf } from './tls-server.ts'

/** How far a request on a connection is: nothing of one, not whole, or being answered. */
export type Progress = 'idle' | 'unread' | 'answering'

interface Held {
  readonly raw: Socket
  readonly source: string
  readonly sinceMs: number
  /** The connection after its handshake. */
  socket?: TLSSocket
  /** Of its certificate; without one it is a stranger's. */
  name?: string
  asked: boolean
  timer: ReturnType<typeof setTimeout>
}

/** Connections by who holds them; those of one are in the order in which they came. */
class Room {
  readonly #held = new Map<string, Set<Held>>()
  size = 0

  of(who: string): number { return this.#held.get(who)?.size ?? 0 }
  add(who: string, one: Held): void {
    this.#held.set(who, (this.#held.get(who) ?? new Set()).add(one))
    this.size++
  }
  remove(who: string, one: Held): void {
    const all = this.#held.get(who)
    if (!all?.delete(one)) return
    this.size--
    if (all.size === 0) this.#held.delete(who)
  }
  /** Of who holds most; of several the first that came. */
  fullest(): string | undefined {
    let [found, most] = [undefined as string | undefined, 0]
    for (const [who, { size }] of this.#held) if (size > most) [found, most] = [who, size]
    return found
  }
  * oldest(who: string | undefined): Iterable<Held> { yield* this.#held.get(who ?? '') ?? [] }
  * all(): Iterable<Held> { for (const some of this.#held.values()) yield* some }
}

/**
 * Who may hold how many connections to a port that anybody reaches. Whoever has shown no certificate, in its handshake
 * or after it, takes no place of those who have; one who comes late takes the place of the one that has waited longest
 * at the same address, or at the address that holds most. Connections that are handed over (`streams`) count no more.
 * Returns what cuts all that are left.
 */
export function holdRoom(
  server: Server, room: ConnectionRoom, streams: TlsStreams | undefined, progress: (socket: Socket) => Progress,
): () => void {
  const [strangers, named] = [new Room(), new Room()]
  const byEnds = new Map<string, Held>()
  const bySocket = new WeakMap<Socket, Held>()
  const endsOf = ({ remoteAddress, remotePort }: Socket): string => `${remoteAddress} ${remotePort}`
  const stateOf = ({ socket }: Held): Progress => (socket ? progress(socket) : 'idle')

  const leave = (one: Held): void => {
    clearTimeout(one.timer)
    strangers.remove(one.source, one)
    if (one.name !== undefined) named.remove(one.name, one)
  }
  const cut = (one: Held): void => {
    leave(one)
    one.socket?.destroy()
    one.raw.destroy()
  }
  /** Makes way for one more; what is being answered stays. False where nothing can go. */
  const makeWay = (from: Room, who: string | undefined): boolean => {
    let unread: Held | undefined
    for (const one of from.oldest(who)) {
      const state = stateOf(one)
      if (state === 'idle') return cut(one), true
      if (state === 'unread') unread ??= one
    }
    if (unread) cut(unread)
    return unread !== undefined
  }
  /** `who` holds one more from now on, or it is cut. */
  const take = (into: Room, who: string, one: Held, most: number, perOne: number): void => {
    const fits = into.of(who) < perOne ? into.size < most || makeWay(into, into.fullest()) : makeWay(into, who)
    if (!fits) return cut(one)
    into.add(who, one)
  }
  const late = (one: Held): void => {
    const lives = performance.now() - one.sinceMs < limits.edgeLifeMs
    if ((one.asked && lives) || stateOf(one) === 'answering') {
      one.timer = setTimeout(late, limits.edgeFirstMs, one)
    } else cut(one)
  }

  server.on('connection', (raw: Socket) => {
    const one: Held = {
      raw, source: room.sourceOf(raw.remoteAddress ?? ''), sinceMs: performance.now(), asked: false,
      timer: setTimeout(() => late(one), limits.edgeFirstMs),
    }
    const ends = endsOf(raw)
    byEnds.set(ends, one)
    raw.once('close', () => {
      if (byEnds.get(ends) === one) byEnds.delete(ends)
      leave(one)
    })
    take(strangers, one.source, one, limits.edgeStrangers, limits.edgePerAddress)
  })
  server.prependListener('secureConnection', (socket: TLSSocket) => {
    const one = byEnds.get(endsOf(socket))
    if (!one) return void socket.destroy()
    one.socket = socket
    bySocket.set(socket, one)
    socket.once('close', () => leave(one))
    const peer = tlsPeerOf(socket)
    const name = peer?.certificate && room.nameOf(peer.certificate)
    if (name === undefined) return
    leave(one)
    if (streams?.alpn.includes(peer!.alpn)) return
    one.name = name
    one.timer = setTimeout(late, limits.edgeFirstMs, one)
    take(named, name, one, limits.edgeNamed, limits.edgePerName)
  })
  server.on('request', ({ socket }: { readonly socket: Socket }) => {
    const one = bySocket.get(socket)
    if (one) one.asked = true
  })
  return () => { for (const one of [...strangers.all(), ...named.all()]) cut(one) }
}
