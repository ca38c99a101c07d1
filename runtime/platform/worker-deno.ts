import { readFileSync, realpathSync } from 'node:fs'
import { isIP } from 'node:net'
import { networkInterfaces } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
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
export const restricted = commandLine().includes(FLAG)

/**
 * What a worker imports: our sources, or what they were built into. Deno reads the packages by itself, but for what one
 * of them reads as a file: the protocol of etcd.
 */
const program = [
  ...['runtime', 'transport', 'actors', 'chunks'].map((folder) => new URL(`../../${folder}`, import.meta.url)),
  new URL('../proto', import.meta.resolve('etcd3')),
].map((url) => fileURLToPath(url))

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
  const { read = [], write = [], net = [] } = options.permissions
  const beside = options.modules.map((module) => fileURLToPath(new URL('.', module)))
  const permissions = {
    read: named([...program, ...beside, ...read, ...write]), write: named(write),
    net: net.includes('*') || net.flatMap(addresses),
    env: false, run: false, sys: false, ffi: false, import: false,
  }
  return new WebWorker(url, { ...base, deno: { permissions } })
}

/** Each path as given, and as it is without symbolic links: Deno asks for the one that is used. */
const named = (paths: readonly string[]): string[] => [...new Set([...paths, ...paths.map(real)])]

/** What is not there yet will be made in what is. */
function real(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    const parent = dirname(path)
    return parent === path ? path : join(real(parent), basename(path))
  }
}

/** A name is looked up before it is listened at, and its address asked for apart: it is one of this machine's. */
function addresses(host: string): string[] {
  const [, name = host, port = '0'] = /^(.*):(\d+)$/.exec(host) ?? []
  if (isIP(name.replace(/^\[|\]$/g, '')) !== 0) return [host]
  const own = Object.values(networkInterfaces()).flatMap((each = []) => each.map(({ address }) => address))
  const listened = own.map((address) => (isIP(address) === 6 ? `[${address}]:${port}` : `${address}:${port}`))
  // Deno takes port 0 of a name for all its ports
  return [port === '0' ? name : host, ...listened]
}

/** In the worker: answers its supervisor. */
export function exposeControl(
  control: WorkerControl, subscribe: (listener: (event: WorkerEvent) => void) => void,
): void {
  Comlink.expose({ ...control, observe: subscribe } satisfies ExposedControl, globalThis as unknown as Endpoint)
}
