/** One end of one contender, in a thread of its own. */
import { measure, text } from '../link/payload.ts'
import { dialGrpc, serveGrpc } from './grpc.ts'
import { dialTunnel, serveTunnel } from './ours.ts'
import type { Call, Order } from './setup.ts'

interface Parent {
  postMessage(message: unknown): void
  onOrder(listener: (order: Order) => void): void
}

const self = globalThis as unknown as {
  postMessage(message: unknown): void
  onmessage: ((event: { data: unknown }) => void) | null
}
const parent: Parent = 'Deno' in globalThis
  ? {
    postMessage: (message) => self.postMessage(message),
    onOrder: (listener) => { self.onmessage = ({ data }) => listener(data as Order) },
  }
  : await nodeParent()

async function nodeParent(): Promise<Parent> {
  const { parentPort } = await import('node:worker_threads')
  return {
    postMessage: (message) => parentPort?.postMessage(message),
    onOrder: (listener) => void parentPort?.on('message', listener),
  }
}

let call: Call | undefined

async function run(order: Order): Promise<number> {
  if (order.type === 'serve') return order.contender === 'grpc' ? serveGrpc(order.setup) : serveTunnel(order.setup)
  if (order.type === 'dial') {
    const { contender, setup, port } = order
    call = await (contender === 'grpc' ? dialGrpc(setup, port) : dialTunnel(setup, port))
    const answer = await call(7)
    if (answer.text !== text || answer.n !== 7) throw new Error('The echo answered with something else')
    return 0
  }
  return measure(call!, order.inFlight, order.ms)
}

parent.onOrder((order) => void run(order).then(
  (value) => parent.postMessage({ value }),
  (error: unknown) => parent.postMessage({ error: error instanceof Error ? error.message : String(error) }),
))
parent.postMessage({ value: 0 })
