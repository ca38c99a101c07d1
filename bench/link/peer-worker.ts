/** Comlink and bare `postMessage` between two workers, with the same payload and the same loop. */
import * as Comlink from 'comlink'
import { measure, text } from './payload.ts'

interface Payload { readonly text: string; readonly n: number }
type Mode = 'comlink' | 'raw'
type Order =
  | { readonly type: 'serve'; readonly mode: Mode; readonly port: Port }
  | { readonly type: 'connect'; readonly mode: Mode; readonly port: Port }
  | { readonly type: 'run'; readonly mode: Mode; readonly inFlight: number; readonly ms: number }
interface Port { postMessage(message: unknown): void; onmessage: ((event: { data: unknown }) => void) | null }
type Endpoint = Parameters<typeof Comlink.wrap>[0]

interface Parent {
  postMessage(message: unknown): void
  onOrder(listener: (order: Order) => void): void
}

const self = globalThis as unknown as Port
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

const echo = ({ text: same, n }: Payload): Payload => ({ text: same, n })
const calls = new Map<Mode, (n: number) => Promise<unknown>>()

function serve(mode: Mode, port: Port): void {
  if (mode === 'comlink') return void Comlink.expose({ echo }, port as unknown as Endpoint)
  port.onmessage = ({ data }) => {
    const { id, payload } = data as { id: number; payload: Payload }
    port.postMessage({ id, payload: echo(payload) })
  }
}

function connect(mode: Mode, port: Port): void {
  if (mode === 'comlink') {
    const remote = Comlink.wrap<{ echo: typeof echo }>(port as unknown as Endpoint)
    calls.set(mode, (n) => remote.echo({ text, n }))
    return
  }
  const pending = new Map<number, (payload: unknown) => void>()
  let last = 0
  port.onmessage = ({ data }) => {
    const { id, payload } = data as { id: number; payload: Payload }
    pending.get(id)?.(payload)
    pending.delete(id)
  }
  calls.set(mode, (n) => new Promise((resolve) => {
    pending.set(++last, resolve)
    port.postMessage({ id: last, payload: { text, n } })
  }))
}

parent.onOrder((order) => {
  if (order.type === 'serve') serve(order.mode, order.port)
  else if (order.type === 'connect') connect(order.mode, order.port)
  else void measure(calls.get(order.mode)!, order.inFlight, order.ms).then((rate) => parent.postMessage(rate))
})
parent.postMessage('up')
