import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { limits } from '../../runtime/limits.ts'
import type { EtcdCredentials } from '../../runtime/store/etcd.ts'
import { etcdCertificates } from './etcd-certificates.ts'

export interface EtcdServer {
  readonly endpoint: string
  readonly port: number
  /** As a crash: SIGKILL. */
  kill(): Promise<void>
  start(): void
  /** As a machine that stands still: SIGSTOP, and SIGCONT. */
  freeze(): void
  thaw(): void
  /** Kills it and removes its data. */
  end(): Promise<void>
}

/** Paths of PEM files. */
export interface EtcdServerTls {
  readonly authority: string
  readonly certificate: string
  readonly key: string
}

export interface EtcdCluster {
  readonly members: readonly EtcdServer[]
  readonly endpoints: readonly string[]
  readonly credentials: EtcdCredentials
  /** Signed by an authority that the cluster does not know. */
  readonly stranger: EtcdCredentials
  end(): Promise<void>
}

export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}

type Flags = Readonly<Record<string, string>>

/** A real etcd on a free port, with data of its own. It may take a moment until it answers. */
export async function startEtcd(tls?: EtcdServerTls, more: Flags = {}): Promise<EtcdServer> {
  const folder = await mkdtemp(join(tmpdir(), 'zonewright-etcd-'))
  const peers = `http://127.0.0.1:${await freePort()}`
  return await startMember({
    name: 'test', folder, port: await freePort(), peers, tls, more: { 'initial-cluster': `test=${peers}`, ...more },
  })
}

/** Three members; who speaks to them must have a certificate. */
export async function startCluster(more: Flags = {}): Promise<EtcdCluster> {
  const folder = await mkdtemp(join(tmpdir(), 'zonewright-etcd-tls-'))
  const { server, client, stranger } = await etcdCertificates()
  const tls = { authority: join(folder, 'ca.pem'), certificate: join(folder, 'server.pem'),
    key: join(folder, 'server.key') }
  for (const name of ['authority', 'certificate', 'key'] as const) {
    await writeFile(tls[name], server[name], { mode: 0o600 })
  }
  const named = []
  for (const name of ['one', 'two', 'three']) {
    named.push({ name, port: await freePort(), peers: `http://127.0.0.1:${await freePort()}` })
  }
  const all = named.map(({ name, peers }) => `${name}=${peers}`).join()
  const members = await Promise.all(named.map(async (member) => startMember({
    ...member, folder: await mkdtemp(join(tmpdir(), 'zonewright-etcd-')), tls,
    more: { 'initial-cluster': all, ...more },
  })))
  return {
    members, endpoints: members.map(({ endpoint }) => endpoint), credentials: client, stranger,
    async end() {
      await Promise.all(members.map((member) => member.end()))
      await rm(folder, { recursive: true, force: true })
    },
  }
}

async function startMember({ name, folder, port, peers, tls, more }: {
  name: string
  folder: string
  port: number
  peers: string
  tls: EtcdServerTls | undefined
  more: Flags
}): Promise<EtcdServer> {
  const endpoint = `${tls ? 'https' : 'http'}://${tls ? 'localhost' : '127.0.0.1'}:${port}`
  const flags: Flags = {
    name, 'data-dir': folder, 'logger': 'zap', 'log-level': 'error',
    'listen-client-urls': endpoint.replace('localhost', '127.0.0.1'), 'advertise-client-urls': endpoint,
    'listen-peer-urls': peers, 'initial-advertise-peer-urls': peers,
    // The least time of a lease follows from these: a second instead of two
    'heartbeat-interval': '20', 'election-timeout': '200',
    'max-txn-ops': String(limits.transactionOperations),
    ...(tls && {
      'trusted-ca-file': tls.authority, 'cert-file': tls.certificate, 'key-file': tls.key, 'client-cert-auth': 'true',
    }),
    ...more,
  }
  let child: ChildProcess
  let closed: Promise<void>
  let missing: Error | undefined
  const start = (): void => {
    child = spawn('etcd', Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`), { stdio: 'ignore' })
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
  return {
    endpoint, port, kill, start,
    // Not `child.kill`, which on Deno sends nothing after a first signal
    freeze: () => void process.kill(child.pid!, 'SIGSTOP'),
    thaw: () => void process.kill(child.pid!, 'SIGCONT'),
    end: () => kill().then(() => rm(folder, { recursive: true, force: true })),
  }
}
