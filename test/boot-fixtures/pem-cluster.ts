/** A real etcd that is started as `gen pems` says: TLS with client certificates, between its members as well. */
import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { memberFlags } from '../../boot/commands/pems-lines.ts'
import { endpointOf } from '../../boot/etcd/names.ts'
import { freePort } from '../runtime/etcd-server.ts'

export interface PemMember {
  readonly endpoint: string
  /** As a crash: SIGKILL. */
  kill(): Promise<void>
  /** SIGSTOP and SIGCONT. */
  freeze(): void
  thaw(): void
  /** With the files as they are now. */
  start(): void
}

export interface PemCluster {
  readonly members: readonly PemMember[]
  readonly endpoints: readonly string[]
  killAll(): Promise<void>
  startAll(): void
  end(): Promise<void>
}

export async function freePorts(count: number): Promise<readonly number[]> {
  const ports = new Set<number>()
  while (ports.size < count) ports.add(await freePort())
  return [...ports]
}

/** Addresses on this machine that members can be given certificates for, before they run. */
export async function freeEndpoints(count = 3, host = 'localhost'): Promise<readonly string[]> {
  return (await freePorts(count)).map((port) => `https://${host}:${port}`)
}

/** `folder` is the zone's: its pems are used where they lie. */
export async function startPemCluster(
  folder: string, endpoints: readonly string[], more: Readonly<Record<string, string>> = {},
): Promise<PemCluster> {
  const peers = (await freePorts(endpoints.length)).map((port) => `https://127.0.0.1:${port}`)
  const name = (index: number): string => `member-${index + 1}`
  const all = peers.map((url, index) => `${name(index)}=${url}`).join(',')
  const members = endpoints.map((endpoint, index) => {
    const data = mkdtempSync(join(tmpdir(), 'zonewright-etcd-'))
    const { port } = endpointOf(endpoint)
    const flags = Object.entries({
      'name': name(index), 'data-dir': data, 'logger': 'zap', 'log-level': 'fatal',
      'listen-client-urls': `https://127.0.0.1:${port}`, 'advertise-client-urls': endpoint,
      'listen-peer-urls': peers[index]!, 'initial-advertise-peer-urls': peers[index]!, 'initial-cluster': all,
      'heartbeat-interval': '50', 'election-timeout': '500', ...more,
    }).map(([flag, value]) => `--${flag}=${value}`)
    return member(endpoint, [...memberFlags(endpointOf(endpoint), folder), ...flags], data)
  })
  const cluster: PemCluster & { members: readonly (PemMember & { data: string })[] } = {
    members, endpoints,
    killAll: async () => void await Promise.all(members.map((each) => each.kill())),
    startAll: () => members.forEach((each) => each.start()),
    async end() {
      await cluster.killAll()
      for (const { data } of members) rmSync(data, { recursive: true, force: true })
    },
  }
  cluster.startAll()
  return cluster
}

/** What this process has started goes with it, whatever comes of its tests. */
const running = new Set<ChildProcess>()
process.once('exit', () => running.forEach((child) => child.kill('SIGKILL')))

function member(endpoint: string, flags: readonly string[], data: string): PemMember & { readonly data: string } {
  let child: ChildProcess | undefined
  let closed: Promise<void> = Promise.resolve()
  return {
    endpoint, data,
    start() {
      child = spawn('etcd', flags, { stdio: 'ignore' })
      const started = child
      running.add(started)
      closed = new Promise((settle) => started.on('close', () => {
        running.delete(started)
        settle()
      }))
    },
    async kill() {
      child?.kill('SIGKILL')
      await closed
    },
    freeze: () => void child?.kill('SIGSTOP'),
    thaw: () => void child?.kill('SIGCONT'),
  }
}
