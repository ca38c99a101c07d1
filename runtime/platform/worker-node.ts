import { MessageChannel as NodeMessageChannel, parentPort, Worker } from 'node:worker_threads'
import * as Comlink from 'comlink'
import nodeEndpoint from 'comlink/dist/esm/node-adapter.mjs'
import { messageOf } from '../errors.ts'
import type { WorkerControl, WorkerEvent } from '../worker.ts'
import { remoteControl, type ExposedControl } from './comlink.ts'
import type { SpawnedWorker, SpawnOptions } from './ports.ts'
import { workerExit } from './worker-exit.ts'

export const channelPair = (): readonly [unknown, unknown] => {
  const { port1, port2 } = new NodeMessageChannel()
  return [port1, port2]
}

export function spawnWorker(options: SpawnOptions): SpawnedWorker {
  // An empty environment: what an actor may know of it is in its start message
  const worker = new Worker(new URL('../worker-entry.ts', import.meta.url), {
    name: options.name, env: {}, resourceLimits: { maxOldGenerationSizeMb: options.heapMbMax },
  })
  worker.unref()
  const { died, onExit } = workerExit()
  worker.on('error', (error: unknown) => died(messageOf(error)))
  worker.on('exit', (code) => died(`exit ${code}`))
  const { control, onEvent, release } = remoteControl(Comlink.wrap<ExposedControl>(nodeEndpoint(worker)))
  return {
    control,
    onEvent,
    onExit,
    async terminate() {
      await worker.terminate()
      release()
    },
  }
}

/** In the worker: answers its supervisor. */
export function exposeControl(
  control: WorkerControl, subscribe: (listener: (event: WorkerEvent) => void) => void,
): void {
  if (!parentPort) throw new Error('The worker entry runs in a worker only')
  Comlink.expose({ ...control, observe: subscribe } satisfies ExposedControl, nodeEndpoint(parentPort))
}
