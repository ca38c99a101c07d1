import { MessageChannel as NodeMessageChannel, Worker as NodeWorker } from 'node:worker_threads'

export interface Peers {
  measure(mode: 'comlink' | 'raw', inFlight: number, ms: number): Promise<number>
  stop(): void
}

interface Plain {
  postMessage(message: unknown, transfer: readonly unknown[]): void
  next(): Promise<unknown>
  terminate(): void
}

const isDeno = 'Deno' in globalThis
const url = new URL('./peer-worker.ts', import.meta.url)

/** The same kind of worker and port that our own runtime uses on this platform. */
function spawnPlain(): Plain {
  if (isDeno) {
    const worker = new (globalThis as unknown as { Worker: new (url: URL, options: object) => Worker }).Worker(url, {
      type: 'module',
    })
    return {
      postMessage: (message, transfer) => worker.postMessage(message, transfer as Transferable[]),
      next: () =>
        new Promise((resolve) => {
          worker.onmessage = ({ data }) => resolve(data)
        }),
      terminate: () => worker.terminate(),
    }
  }
  const worker = new NodeWorker(url)
  return {
    postMessage: (message, transfer) => worker.postMessage(message, transfer as never),
    next: () => new Promise((resolve) => worker.once('message', resolve)),
    terminate: () => void worker.terminate(),
  }
}
interface Worker {
  postMessage(message: unknown, transfer: readonly unknown[]): void
  onmessage: (event: { data: unknown }) => void
  terminate(): void
}
type Transferable = unknown

export async function startPeers(): Promise<Peers> {
  const [caller, callee] = [spawnPlain(), spawnPlain()]
  await Promise.all([caller.next(), callee.next()])
  for (const mode of ['comlink', 'raw'] as const) {
    const { port1, port2 } = isDeno ? new MessageChannel() : new NodeMessageChannel()
    callee.postMessage({ type: 'serve', mode, port: port2 }, [port2])
    caller.postMessage({ type: 'connect', mode, port: port1 }, [port1])
  }
  return {
    async measure(mode, inFlight, ms) {
      const answer = caller.next()
      caller.postMessage({ type: 'run', mode, inFlight, ms }, [])
      return (await answer) as number
    },
    stop() {
      caller.terminate()
      callee.terminate()
    },
  }
}
