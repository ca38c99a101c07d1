/**
 * A zone on hosts of their own addresses: OODs over an etcd of three members, and nodes that joined, each a program
 * that may be killed and started again. With one OOD there is no etcd.
 */
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { memberFlags } from '../../boot/commands/pems-lines.ts'
import { endpointOf } from '../../boot/etcd/names.ts'
import { file } from '../../boot/init.ts'
import {
  newFolder, objectOf, runtimeArgs, start, type Ended, type Started, zonewright,
} from '../boot-fixtures/command-line.ts'
import { makeNet, type TestNet } from '../boot-fixtures/netns.ts'
import { delay } from './delay.ts'
import { Way } from './way.ts'
import { PORTS, RUNTIME, services, specOf, writeProgram, type Service } from './service.ts'

const HOST_PORT = 50_051
const GATEWAY_PORT = 8_080
const ETCD = { clients: 2_379, peers: 2_380 }
/** Of a machine that has more to do. */
const STARTS_MS = 120_000
/** Said of a zone that is up, on a machine that is slow just now. */
const BUSY = /"error":\{[^}]*(?:policy\/lapsed|"code":"(?:Unavailable|DeadlineExceeded|Overloaded)")/
/** As the units for systemd have it. */
const RESTART_MS = 2_000
const LINES_SHOWN = 600
const RUN_MS = 6 * 60 * 60_000

export interface FieldOptions {
  readonly oods: number
  readonly nodes: number
  readonly say: (line: string) => void
}

export interface Field {
  readonly net: TestNet
  readonly folder: string
  readonly oods: readonly string[]
  readonly nodes: readonly string[]
  readonly members: readonly string[]
  readonly password: string
  /** To the gateway of a host; that of a node leads to an OOD by its tunnel. */
  gateway(host: string): Way
  /** To a service on that host itself. */
  local(node: string, service: Service): Way
  folderOf(host: string): string
  isRunning(name: string): boolean
  /** As its power would go. */
  kill(name: string): Promise<void>
  run(name: string): void
  /** How often a program ended by itself and was started again, as systemd would. */
  endedByItself(): number
  command(...args: readonly string[]): Promise<Ended>
  end(): Promise<void>
}

const names = (of: string, count: number): readonly string[] =>
  Array.from({ length: count }, (_, index) => `${of}${index + 1}`)

export async function openField({ oods: oodCount, nodes: nodeCount, say }: FieldOptions): Promise<Field> {
  const [oods, nodes] = [names('ood', oodCount), names('node', nodeCount)]
  const members = oodCount > 1 ? names('etcd', 3) : []
  const net = makeNet([...oods, ...nodes, ...members])
  const cwd = newFolder()
  const program = writeProgram()
  /** Paths of Unix sockets are short. */
  const sockets = mkdtempSync('/tmp/zw-way-')
  const commands = new Map<string, readonly [host: string, command: readonly string[]]>()
  const running = new Map<string, Started>()
  /** Is to run: whoever ends by itself is started again, once all are there. */
  const wanted = new Set<string>()
  let isUp = false
  let endedByItself = 0
  const ways: Started[] = []

  const command = async (...args: readonly string[]): Promise<Ended> =>
    await start(net.on('ood1', [...zonewright, ...args]), { cwd, msMax: STARTS_MS }).ended
  const json = async (
    args: readonly string[], until = performance.now() + STARTS_MS,
  ): Promise<Record<string, unknown>> => {
    const done = await command(...args, '--json')
    if (performance.now() < until && BUSY.test(done.stdout)) return await json(args, until)
    if (done.exitCode !== 0) throw new Error(`${args.join(' ')}: ${done.stderr}${done.stdout}`)
    return objectOf(done)
  }
  const run = (name: string): void => {
    wanted.add(name)
    if (running.has(name)) return
    const [host, words] = commands.get(name)!
    const started = start(net.on(host, words), { cwd, msMax: RUN_MS })
    running.set(name, started)
    void started.ended.then(({ exitCode, stdout, stderr }) => {
      if (running.get(name) === started) running.delete(name)
      if (!isUp || !wanted.has(name)) return
      endedByItself++
      say(`${name} ended by itself, exit code ${exitCode}: ${(stderr || stdout).trim().slice(-LINES_SHOWN)}`)
      setTimeout(() => { if (wanted.has(name)) run(name) }, RESTART_MS)
    })
  }
  const kill = async (name: string): Promise<void> => {
    wanted.delete(name)
    const started = running.get(name)
    running.delete(name)
    if (!started) return
    try {
      started.signal('SIGKILL')
    } catch {
      // It has just ended
    }
    await started.ended
  }
  const says = async (name: string, pattern: RegExp): Promise<RegExpExecArray> => {
    const started = running.get(name)!
    const over = started.ended.then(({ stdout, stderr }) => {
      throw new Error(`${name} has ended: ${stderr || stdout}`)
    })
    over.catch(() => {})
    return await Promise.race([started.printed(pattern, STARTS_MS), over])
  }
  const add = (name: string, host: string, ...words: readonly string[]): void => {
    commands.set(name, [host, words])
    run(name)
  }
  const wayIn = async (host: string, ports: Readonly<Record<string, number>>): Promise<void> => {
    const args = Object.entries(ports).flatMap(([name, port]) => [join(sockets, `${host}-${name}`), String(port)])
    const path = new URL('../boot-fixtures/way-in.ts', import.meta.url).pathname
    const started = start(net.on(host, [process.execPath, ...runtimeArgs, path, ...args]), { cwd, msMax: RUN_MS })
    ways.push(started)
    await started.printed(/listening/, STARTS_MS)
  }
  const folderOf = (host: string): string => join(cwd, host === 'ood1' ? '.zone' : host)
  const address = (ood: string): string => `${net.address(ood)}:${HOST_PORT}`
  const token = async (host: string, ...more: readonly string[]): Promise<readonly string[]> => {
    await json(['gen', 'join-token', '--host', host, '--out', `for-${host}`, ...more])
    return ['--token-file', `for-${host}/${host}.join-token`, '--root', `for-${host}/root.pem`, '--dir', folderOf(host)]
  }

  const joins = async (name: string, host: string, ...words: readonly string[]): Promise<void> => {
    const command = net.on(host, [...zonewright, ...words])
    const { exitCode, stdout, stderr } = await start(command, { cwd, msMax: STARTS_MS }).ended
    if (exitCode !== 0) throw new Error(`${name} could not join: ${stdout}${stderr}`)
  }
  const field: Omit<Field, 'password'> = {
    net, folder: cwd, oods, nodes, members, folderOf, kill, run, command,
    gateway: (host) => new Way(join(sockets, `${host}-gateway`)),
    local: (node, service) => new Way(join(sockets, `${node}-${service}`)),
    isRunning: (name) => running.has(name),
    endedByItself: () => endedByItself,
    async end() {
      for (const name of [...wanted]) await kill(name)
      for (const way of ways) {
        way.signal('SIGKILL')
        await way.ended
      }
      net.remove()
      program.remove()
      rmSync(sockets, { recursive: true, force: true })
    },
  }
  try {
    const endpoints = members.map((member) => `https://${net.address(member)}:${ETCD.clients}`)
    writeFileSync(join(cwd, 'config.yaml'), [
      `addr: ${address('ood1')}`, `http: { port: ${GATEWAY_PORT} }`,
      // Members of etcd use the files where they lie
      'tls_config: { enable: true, keep_dangerous_files: true }',
      ...(members.length > 0 ? [`xline_config: { endpoints: ${JSON.stringify(endpoints)}, prefix: /zones }`] : []), '',
    ].join('\n'))
    if (members.length > 0) {
      await json(['gen', 'pems', '--config', 'config.yaml'])
      const peers = members.map((member) => `https://${net.address(member)}:${ETCD.peers}`)
      for (const [index, member] of members.entries()) {
        const flags = {
          'name': member, 'data-dir': join(cwd, member), 'logger': 'zap', 'log-level': 'fatal',
          'listen-client-urls': endpoints[index]!, 'advertise-client-urls': endpoints[index]!,
          'listen-peer-urls': peers[index]!, 'initial-advertise-peer-urls': peers[index]!,
          'initial-cluster': members.map((name, at) => `${name}=${peers[at]}`).join(),
        }
        add(member, member, 'etcd', ...memberFlags(endpointOf(endpoints[index]!), folderOf('ood1')),
          ...Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`))
      }
    }
    add('ood1', 'ood1', ...zonewright, 'start', '--config', 'config.yaml')
    const [, password = ''] = await says('ood1', /with the password (\S+)/)
    await says('ood1', /Ctrl-C stops it/)
    say('ood1 serves')
    writeFileSync(join(cwd, 'password'), `${password}\n`, { mode: 0o600 })
    await json(['login', '--password-file', 'password'])
    for (const ood of oods.slice(1)) {
      const words = ['join', ...await token(ood, '--role', 'ood'), '--role', 'ood', '--listen', address(ood)]
      const joining = start(net.on(ood, [...zonewright, ...words]), { cwd, msMax: STARTS_MS })
      const device = await waiting(ood)
      await json(['hosts', 'approve', ood, '--owner-key', join(folderOf('ood1'), file.ownerKey), '--yes',
        '--fingerprint', device])
      const { exitCode, stdout, stderr } = await joining.ended
      if (exitCode !== 0) throw new Error(`${ood} could not join: ${stdout}${stderr}`)
      appendFileSync(join(folderOf(ood), file.config), `http: { port: ${GATEWAY_PORT} }\n`)
      add(ood, ood, ...zonewright, 'start', '--dir', folderOf(ood))
      await says(ood, /Ctrl-C stops it/)
      say(`${ood} serves`)
    }
    for (const [index, node] of nodes.entries()) {
      const words = await token(node)
      mkdirSync(folderOf(node), { mode: 0o700 })
      writeFileSync(join(folderOf(node), file.config),
        `processes: { allow: [${RUNTIME}] }\nlabels: { kind: node, of: ${node} }\n`)
      const server = address(oods[index % oods.length]!)
      await joins(node, node, 'join', '--server', server, ...words, '--once')
      add(node, node, ...zonewright, 'node', '--dir', folderOf(node), '--port', String(GATEWAY_PORT))
      say(`${node} joined at ${server}`)
    }
    for (const ood of oods) await wayIn(ood, { gateway: GATEWAY_PORT })
    for (const node of nodes) await wayIn(node, { gateway: GATEWAY_PORT, ...PORTS })
    for (const service of services) {
      writeFileSync(join(cwd, `${service}.json`), JSON.stringify(specOf(service, program.folder)))
      await json(['services', 'add', `${service}.json`, '--no-wait'])
    }
    isUp = true
    return { ...field, password }
  } catch (error) {
    await field.end()
    throw error
  }

  async function waiting(ood: string): Promise<string> {
    for (const until = performance.now() + STARTS_MS; performance.now() < until;) {
      const { requests } = await json(['hosts', 'pending']) as { requests: { host: string; device: string }[] }
      const found = requests.find(({ host }) => host === ood)
      if (found) return found.device
      await delay(500)
    }
    throw new Error(`${ood} does not ask to join`)
  }
}
