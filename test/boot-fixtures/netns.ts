/**
 * Test hosts with addresses of their own: network namespaces (`ip-netns(8)`) on one bridge, which lies in a namespace
 * as well, so that the machine itself gets no address, route or rule. Every name holds the process id of the test: what
 * was left behind by one that is gone, the next one removes.
 */
import { spawnSync } from 'node:child_process'
import process from 'node:process'
import { runtimeArgs, start, type Started } from './command-line.ts'

/** Private, and known in those namespaces alone: two tests may use the same at one time. */
const PREFIX = '10.83.0.'
const NAME = /^zw-(\d+)-[a-z0-9]+$/

export interface TestNet {
  /** Its IPv4 address. */
  address(host: string): string
  /** The command, as it runs on that host. */
  on(host: string, command: readonly string[]): readonly string[]
  /** Process ids of what runs there. */
  processes(host: string): readonly number[]
  /** Takes the cable out. */
  cut(host: string): void
  heal(host: string): void
  /** Of what `from` sends to `to` this share is lost, one way. @returns what ends that */
  lose(from: string, to: string, share?: number): () => void
  /** Of what comes to a host, or goes from it, this share is lost; its loopback goes on. @returns what ends that */
  drop(host: string, way: 'in' | 'out', share?: number): () => void
  /** A port of `via` that hands on to `to`, each way this much later. */
  delay(via: string, listen: number, to: { readonly host: string; readonly port: number }, ms: number): Promise<Started>
  /** With all that runs there. */
  remove(): void
}

function run(program: string, ...args: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(program, args, { encoding: 'utf8', timeout: 30_000 })
  if (status === 0) return stdout
  throw new Error(`${program} ${args.join(' ')}: ${error?.message ?? stderr.trim()}`)
}

const ip = (...args: readonly string[]): string => run('ip', ...args)
const namespaces = (): readonly string[] =>
  ip('netns', 'list').split('\n').map((line) => line.split(' ')[0]!).filter((name) => NAME.test(name))

const processesIn = (name: string): readonly number[] =>
  ip('netns', 'pids', name).split('\n').filter(Boolean).map(Number)

/** Its interfaces go with it, when nothing runs there any more. */
function removeNamespace(name: string): void {
  for (const pid of processesIn(name)) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // It ended meanwhile
    }
  }
  ip('netns', 'delete', name)
}

const isRunning = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

/** What tests left behind that were killed. @returns its names */
export function sweep(): readonly string[] {
  const left = namespaces().filter((name) => !isRunning(Number(NAME.exec(name)![1])))
  for (const name of left) {
    try {
      removeNamespace(name)
    } catch {
      // Another test removes the same
    }
  }
  return left
}

let nets = 0

export function makeNet(hosts: readonly string[]): TestNet {
  sweep()
  const number = ++nets
  const nameOf = (host: string): string => `zw-${process.pid}-${number}${host}`
  const hub = nameOf('hub')
  const addresses = new Map(hosts.map((host, index) => [host, `${PREFIX}${index + 1}`]))
  const address = (host: string): string => {
    const found = addresses.get(host)
    if (found === undefined) throw new Error(`There is no such test host: ${host}`)
    return found
  }
  const inside = (host: string, ...args: readonly string[]): string => {
    address(host)
    return ip('netns', 'exec', nameOf(host), ...args)
  }
  const some = (share: number): readonly string[] =>
    (share < 1 ? ['-m', 'statistic', '--mode', 'random', '--probability', String(share)] : [])
  const rule = (host: string, ...packets: readonly string[]): (() => void) => {
    inside(host, 'iptables', '-w', '-A', ...packets, '-j', 'DROP')
    return () => void inside(host, 'iptables', '-w', '-D', ...packets, '-j', 'DROP')
  }
  const remove = (): void => {
    process.off('exit', remove)
    const own = new RegExp(`^zw-${process.pid}-${number}\\D`)
    for (const name of namespaces().filter((each) => own.test(each))) removeNamespace(name)
  }
  process.on('exit', remove)
  ip('netns', 'add', hub)
  ip('-n', hub, 'link', 'add', 'bridge', 'type', 'bridge')
  ip('-n', hub, 'link', 'set', 'bridge', 'up')
  for (const [index, host] of hosts.entries()) {
    const name = nameOf(host)
    const port = `port${index}`
    ip('netns', 'add', name)
    ip('-n', hub, 'link', 'add', port, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name)
    ip('-n', hub, 'link', 'set', port, 'master', 'bridge', 'up')
    ip('-n', name, 'address', 'add', `${address(host)}/24`, 'dev', 'eth0')
    ip('-n', name, 'link', 'set', 'lo', 'up')
    ip('-n', name, 'link', 'set', 'eth0', 'up')
  }
  return {
    address, remove,
    processes: (host) => processesIn((address(host), nameOf(host))),
    on: (host, command) => ['ip', 'netns', 'exec', (address(host), nameOf(host)), ...command],
    cut: (host) => void ip('-n', nameOf(host), 'link', 'set', 'eth0', 'down'),
    heal: (host) => void ip('-n', nameOf(host), 'link', 'set', 'eth0', 'up'),
    lose: (from, to, share = 1) => rule(to, 'INPUT', '-s', address(from), ...some(share)),
    drop: (host, way, share = 1) => (way === 'in' ? rule(host, 'INPUT', '-i', 'eth0', ...some(share))
      : rule(host, 'OUTPUT', '-o', 'eth0', ...some(share))),
    async delay(via, listen, to, ms) {
      const proxy = new URL('./delay-proxy.ts', import.meta.url).pathname
      const args = [address(via), String(listen), address(to.host), String(to.port), String(ms)]
      const command = ['ip', 'netns', 'exec', nameOf(via), process.execPath, ...runtimeArgs, proxy, ...args]
      const started = start(command, { cwd: '.' })
      await started.printed(/listening/)
      return started
    },
  }
}
