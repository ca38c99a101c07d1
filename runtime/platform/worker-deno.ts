import { readFileSync } from 'node:fs'
import * as Comlink from 'comlink'
import type { WorkerControl, WorkerEvent } from '../worker.ts'
import { remoteControl, type ExposedControl } from './comlink.ts'
import type { SpawnedWorker, SpawnOptions } from './ports.ts'
import { workerExit } from './worker-exit.ts'

type Endpoint = Parameters<typeof Comlink.wrap>[0]
interface WebWorker extends EventTarget { terminate(): void }
type WebWorkerClass = new (url: URL, options: object) => WebWorker
const WebWorker = (globalThis as unknown as { Worker: WebWorkerClass }).Worker

export const channelPair = (): readonly [unknown, unknown] => {
  const { port1, port2 } = new MessageChannel()
  return [port1, port2]
}

const FLAG = '--unstable-worker-options'
const restricted = commandLine().includes(FLAG)

/** Why workers have all permissions of this process, if they do. */
export const workersUnrestricted = (): string | undefined =>
  restricted ? undefined : `workers have all permissions of this process; start Deno with ${FLAG} to restrict them`

/** Without the flag Deno ends the whole process when a worker asks for permissions, and it has no other way to ask. */
function commandLine(): readonly string[] {
  try {
    return readFileSync('/proc/self/cmdline', 'utf8').split('\0')
  } catch {
    return []
  }
}

export function spawnWorker(options: SpawnOptions): SpawnedWorker {
  const worker = create(options)
  const { died, onExit } = workerExit()
  worker.addEventListener('error', (event) => {
    // Without this the whole process ends with the worker
    event.preventDefault()
    died((event as Event & { message: string }).message)
    worker.terminate()
  })
  const { control, onEvent, release } = remoteControl(Comlink.wrap<ExposedControl>(worker as unknown as Endpoint))
  return {
    control,
    onEvent,
    onExit,
    async terminate() {
      worker.terminate()
      died('terminated')
      release()
    },
  }
}

function create(options: SpawnOptions): WebWorker {
  const url = new URL('../worker-entry.ts', import.meta.url)
  const base = { type: 'module', name: options.name }
  if (!restricted) return new WebWorker(url, base)
  const { read, write, net, ffi } = options.permissions
  const permissions = {
    read: read ? [...read] : true, write: write ? [...write] : false, net: net ? [...net] : false, ffi: ffi ?? false,
    env: false, run: false, sys: false, import: false,
  }
  return new WebWorker(url, { ...base, deno: { permissions } })
}

/** In the worker: answers its supervisor. */
export function exposeControl(
  control: WorkerControl, subscribe: (listener: (event: WorkerEvent) => void) => void,
): void {
  Comlink.expose({ ...control, observe: subscribe } satisfies ExposedControl, globalThis as unknown as Endpoint)
}
