import type { ActorDefinition } from './actor.ts'
import { exposeControl, openPlatform } from './platform/index.ts'
import { createWorkerControl } from './worker-control.ts'
import type { WorkerEvent } from './worker.ts'

/** The program of every worker: waits for its supervisor, which says what to load. */
const early: WorkerEvent[] = []
let emit = (event: WorkerEvent): void => void early.push(event)

const control = createWorkerControl({
  platform: openPlatform(),
  load: async (url) => ((await import(url)) as { default: ActorDefinition }).default,
  emit: (event) => emit(event),
})
exposeControl(control, (listener) => {
  emit = listener
  for (const event of early.splice(0)) listener(event)
})
