import { MessageChannel } from 'node:worker_threads'
import { systemClock } from '../runtime/platform/clock.ts'
import { memoryChannelPair } from '../transport/memory.ts'
import { portChannel, type Port } from '../transport/port.ts'
import { transportCompliance } from './compliance/transport.ts'

const settle = (ms: number) => (): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

const memory = transportCompliance('memory', async () => {
  const [near, far] = memoryChannelPair(systemClock)
  return { near, far, settle: settle(5) }
})

const port = transportCompliance('port', async () => {
  const { port1, port2 } = 'Deno' in globalThis ? new globalThis.MessageChannel() : new MessageChannel()
  return { near: portChannel(port1 as unknown as Port), far: portChannel(port2 as unknown as Port), settle: settle(40) }
})

memory.run()
port.run()
