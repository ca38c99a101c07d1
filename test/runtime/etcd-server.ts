import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { limits } from '../../runtime/limits.ts'

export interface EtcdServer {
  readonly endpoint: string
  readonly port: number
  /** As a crash: SIGKILL. */
  kill(): Promise<void>
  start(): void
  /** Kills it and removes its data. */
  end(): Promise<void>
}

/** Paths of PEM files. */
export interface EtcdServerTls {
  readonly authority: string
  readonly certificate: string
  readonly key: string
}

export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** A real etcd on a free port, with data of its own. It may take a moment until it answers. */
export async function startEtcd(tls?: EtcdServerTls): Promise<EtcdServer> {
  const folder = await mkdtemp(join(tmpdir(), 'zonewright-etcd-'))
  const [port, peerPort] = [await freePort(), await freePort()]
  const endpoint = `${tls ? 'https' : 'http'}://${tls ? 'localhost' : '127.0.0.1'}:${port}`
  const peers = `http://127.0.0.1:${peerPort}`
  const flags: Record<string, string> = {
    'name': 'test', 'data-dir': folder, 'logger': 'zap', 'log-level': 'error',
    'listen-client-urls': endpoint.replace('localhost', '127.0.0.1'), 'advertise-client-urls': endpoint,
    'listen-peer-urls': peers, 'initial-advertise-peer-urls': peers, 'initial-cluster': `test=${peers}`,
    // The least time of a lease follows from these: a second instead of two
    'heartbeat-interval': '20', 'election-timeout': '200',
    'max-txn-ops': String(limits.transactionOperations),
    ...(tls && {
      'trusted-ca-file': tls.authority, 'cert-file': tls.certificate, 'key-file': tls.key, 'client-cert-auth': 'true',
    }),
  }
  let child: ChildProcess
  let closed: Promise<void>
  let missing: Error | undefined
  const start = (): void => {
    child = spawn('etcd', Object.entries(flags).map(([name, value]) => `--${name}=${value}`), { stdio: 'ignore' })
    closed = new Promise((resolve) => {
      child.on('exit', () => resolve())
      child.on('error', (error) => {
        missing = new Error(`etcd cannot be run; install the Debian package etcd-server: ${error.message}`)
        resolve()
      })
    })
  }
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL')
    await closed
  }
  start()
  await Promise.race([closed!, new Promise((resolve) => setTimeout(resolve, 300))])
  if (missing) throw missing
  return { endpoint, port, kill, start, end: () => kill().then(() => rm(folder, { recursive: true, force: true })) }
}
