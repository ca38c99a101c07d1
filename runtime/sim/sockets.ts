import { PortInUse, Unavailable } from '../errors.ts'
import type { SocketServer, Sockets } from '../platform/socket-ports.ts'
import { delays } from './delays.ts'
import type { Medium } from './network.ts'
import type { SeededRandom } from './random.ts'
import { createLane } from './schedule.ts'
import type { SimulatedThread } from './thread.ts'

const FIRST_FREE_PORT = 50_000
const CLIENT = '127.0.0.1'

type Answer = Parameters<Sockets['serveDatagrams']>[1]
type Converse = Parameters<Sockets['serveStreams']>[1]

interface Listener<Handle> {
  readonly thread: SimulatedThread
  readonly handle: Handle
}

/**
 * The UDP and TCP ports of one host that do not speak HTTP, in their simplest form: a datagram and its answer arrive
 * after a delay each, and a connection is all that its client sends, in one go, then all that it gets.
 */
export class SocketPorts {
  readonly #host: string
  readonly #medium: Medium
  readonly #random: SeededRandom
  readonly #datagrams = new Map<number, Listener<Answer>>()
  readonly #streams = new Map<number, Listener<Converse>>()

  constructor(host: string, medium: Medium, random: SeededRandom) {
    this.#host = host
    this.#medium = medium
    this.#random = random
  }

  transportOf(thread: SimulatedThread): Sockets {
    return {
      serveDatagrams: ({ port }, handle) => thread.whileAlive(() => listen(this.#datagrams, port, { thread, handle })),
      serveStreams: ({ port }, handle) => thread.whileAlive(() => listen(this.#streams, port, { thread, handle })),
    }
  }

  /** Undefined: no answer came. */
  datagram(from: SimulatedThread, port: number, sent: Uint8Array): Promise<Uint8Array | undefined> {
    return this.#exchange(from, `datagram to ${port}`, this.#datagrams.get(port), sent, async (answer) => {
      try {
        return answer(sent, CLIENT)
      } catch {
        return undefined
      }
    })
  }

  /** All that comes back. @throws Unavailable when nothing listens, or it is cut */
  async converse(from: SimulatedThread, port: number, sent: readonly Uint8Array[]): Promise<readonly Uint8Array[]> {
    const listener = this.#streams.get(port)
    const got = await this.#exchange(from, `connection to ${port}`, listener, sent[0], async (converse) => {
      const replies: Uint8Array[] = []
      try {
        for await (const reply of converse(eachOf(sent), CLIENT)) replies.push(reply)
        return replies
      } catch {
        return undefined
      }
    })
    if (!got) throw new Unavailable(`Connection cut: ${this.#host}:${port}`)
    return got
  }

  #exchange<Handle, Got>(
    from: SimulatedThread, what: string, listener: Listener<Handle> | undefined, payload: Uint8Array | undefined,
    run: (handle: Handle) => Promise<Got | undefined>,
  ): Promise<Got | undefined> {
    const { schedule } = this.#medium
    const done = schedule.waiting(from, what)
    const lane = createLane(this.#random)
    const deliver = (to: SimulatedThread, kind: string, task: () => void): void => schedule.inOrder({
      to, lane, delayUs: this.#random.within(delays.http), kind, from: what,
      ...(payload === undefined ? {} : { payload }), task,
    })
    return new Promise<Got | undefined>((resolve) => {
      const answer = (got: Got | undefined): void => deliver(from, 'socket-answer', () => resolve(got))
      if (!listener) return answer(undefined)
      const leave = listener.thread.onEnd(() => answer(undefined))
      deliver(listener.thread, 'socket-request', () => void run(listener.handle).then((got) => {
        leave()
        answer(got)
      }))
    }).finally(done)
  }
}

async function* eachOf(pieces: readonly Uint8Array[]): AsyncIterable<Uint8Array> {
  yield* pieces
}

function listen<Handle>(
  table: Map<number, Listener<Handle>>, asked: number, listener: Listener<Handle>,
): SocketServer {
  let port = asked
  if (port === 0) for (port = FIRST_FREE_PORT; table.has(port);) port++
  if (table.has(port)) throw new PortInUse(`The port is in use: ${port}`, { port })
  table.set(port, listener)
  const stop = (): void => void (table.get(port) === listener && table.delete(port))
  const leave = listener.thread.onEnd(stop)
  return {
    port,
    close: async () => {
      leave()
      stop()
    },
  }
}
