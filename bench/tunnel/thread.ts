import { Worker as NodeWorker } from 'node:worker_threads'
import type { Order } from './setup.ts'

/** A thread that does what it is asked, one at a time. */
export interface Thread {
  /** The port that it serves on, or calls per second. */
  ask(order: Order): Promise<number>
  stop(): void
}

interface Answer { readonly value?: number; readonly error?: string }
interface WebWorker {
  postMessage(message: unknown): void
  onmessage: ((event: { data: unknown }) => void) | null
  onerror: ((event: { message: string }) => void) | null
  terminate(): void
}

const url = new URL('./worker.ts', import.meta.url)

export async function startThread(): Promise<Thread> {
  let settle: ((answer: Answer) => void) | undefined
  const answered = (answer: Answer): void => settle?.(answer)
  const next = (): Promise<number> => new Promise((resolve, reject) => {
    settle = ({ value, error }) => (value === undefined ? reject(new Error(error)) : resolve(value))
  })
  const worker = 'Deno' in globalThis ? denoWorker(answered) : nodeWorker(answered)
  await next()
  return {
    ask(order) {
      const answer = next()
      worker.postMessage(order)
      return answer
    },
    stop: () => worker.terminate(),
  }
}

function nodeWorker(answered: (answer: Answer) => void): Pick<WebWorker, 'postMessage' | 'terminate'> {
  const worker = new NodeWorker(url)
  worker.on('message', answered)
  worker.on('error', (error) => answered({ error: String(error) }))
  return { postMessage: (message) => worker.postMessage(message), terminate: () => void worker.terminate() }
}

function denoWorker(answered: (answer: Answer) => void): WebWorker {
  const { Worker } = globalThis as unknown as { Worker: new (at: URL, options: object) => WebWorker }
  const worker = new Worker(url, { type: 'module' })
  worker.onmessage = ({ data }) => answered(data as Answer)
  worker.onerror = ({ message }) => answered({ error: message })
  return worker
}
