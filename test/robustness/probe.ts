import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { linkSync, mkdirSync, readdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { cpus, hostname } from 'node:os'
import process from 'node:process'
import { Worker as NodeWorker } from 'node:worker_threads'
import { actor } from '../../runtime/actor.ts'
import { Probe } from './probe-protocol.ts'

interface DenoApi {
  dlopen(path: string, symbols: object): unknown
  openSync(path: string): { close(): void }
  listen(address: Address): { close(): void }
  connect(address: Address): Promise<{ close(): void }>
}
interface Address { readonly hostname: string; readonly port: number }
type WebWorker = new (url: string, options: object) => EventTarget & { terminate(): void }
const { Deno: deno, Worker: WebWorker } = globalThis as unknown as { Deno?: DenoApi; Worker?: WebWorker }

const addressOf = (target: string): Address => {
  const at = target.lastIndexOf(':')
  return { hostname: target.slice(0, at), port: Number(target.slice(at + 1)) }
}

/** Deno's own: where its Node server is refused, the worker ends. */
async function listen(target: string): Promise<void> {
  const { hostname, port } = addressOf(target)
  if (deno) return deno.listen({ hostname, port }).close()
  const server = createServer().listen(port, hostname)
  await once(server, 'listening')
  await new Promise((resolve) => server.close(resolve))
}

async function reach(target: string): Promise<void> {
  const { hostname, port } = addressOf(target)
  if (deno) return (await deno.connect({ hostname, port })).close()
  const socket = connect(port, hostname)
  await once(socket, 'connect')
  socket.destroy()
}

/** What a thread of its own reads, by the runtime's other way to start one. */
async function readInNodeWorker(target: string): Promise<void> {
  const code = `require('node:worker_threads').parentPort.postMessage(
    require('node:fs').readFileSync(${JSON.stringify(target)}).length)`
  const inner = new NodeWorker(code, { eval: true })
  try {
    await once(inner, 'message')
  } finally {
    await inner.terminate()
  }
}

/** A worker of its own that is to have more permissions than it has. */
async function readInWebWorker(target: string): Promise<void> {
  if (!WebWorker) return void readFileSync(target)
  const code = `Deno.readFileSync(${JSON.stringify(target)}); postMessage('read')`
  const inner = new WebWorker(`data:text/javascript,${encodeURIComponent(code)}`, {
    type: 'module', deno: { permissions: { read: true } },
  })
  await new Promise<void>((resolve, reject) => {
    inner.addEventListener('message', () => resolve())
    inner.addEventListener('error', (event) => {
      event.preventDefault()
      reject(new Error((event as Event & { message: string }).message))
    })
  }).finally(() => inner.terminate())
}

const attempts: Readonly<Record<string, (target: string) => unknown>> = {
  read: (target) => readFileSync(target),
  list: (target) => readdirSync(target),
  open: (target) => (deno ? deno.openSync(target).close() : readFileSync(target)),
  import: (target) => import(target),
  write: (target) => writeFileSync(target, 'planted', { mode: 0o600 }),
  makeFolder: (target) => mkdirSync(target, { recursive: true }),
  /** Through a link in a folder that it may write. */
  symlink: (target) => {
    const [from, to] = target.split(' ') as [string, string]
    symlinkSync(from, to)
    return readFileSync(to)
  },
  hardLink: (target) => linkSync(...target.split(' ') as [string, string]),
  rename: (target) => renameSync(...target.split(' ') as [string, string]),
  listen,
  connect: reach,
  env: (target) => {
    if (process.env[target] === undefined) throw new Error('It is not there')
  },
  run: (target) => execFileSync(target),
  /** One that does nothing. */
  signal: (target) => process.kill(Number(target), 'SIGCONT'),
  ffi: (target) => (deno ? deno.dlopen(target, {}) : process.dlopen({ exports: {} }, target)),
  system: () => [hostname(), cpus()],
  nodeWorker: readInNodeWorker,
  webWorker: readInWebWorker,
}

const refusal = (error: unknown): string => {
  const { name, code, message } = error as Error & { code?: string }
  return `${name} ${code ?? ''} ${message}`
}

export default actor(Probe, { stateless: true }, () => ({
  async attempt(all: readonly { what: string; target: string }[]) {
    const outcomes: string[] = []
    for (const { what, target } of all) {
      outcomes.push(await Promise.resolve().then(() => attempts[what]!(target)).then(() => 'done', refusal))
    }
    return outcomes
  },
}))
