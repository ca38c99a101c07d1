import { Option, type Command } from 'commander'
import { JOIN_SEQUENCE } from '../../actors/join-steps.ts'
import { messageOf } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import { openPlatform } from '../../runtime/platform/index.ts'
import { Interrupted } from '../errors.ts'
import { DEFAULT_DIR } from '../client/locate.ts'
import { join, type Joined, type JoinOptions } from '../join/join-client.ts'
import { openJoining } from '../host/joining.ts'
import { readTokenFile } from '../join/token-file.ts'
import { layoutOf, stepRow, styleOf, tableHead, tableRow, type StepRow } from '../render.ts'
import { joinSequence } from '../sequences.ts'
import { duration } from '../table.ts'
import type { Terminal } from '../terminal.ts'
import { sayTo } from './boot-zone.ts'
import { command, wholeNumber } from './command.ts'
import { textFile } from './files.ts'
import { addressOf, demandRole, hostOf, rootsIn } from './join-given.ts'
import { runJoinOod } from './join-ood.ts'
import { DEFAULT_HOST_DIR } from './node.ts'
import { serveHost } from './serve-host.ts'

export interface JoinCommandOptions {
  readonly role: 'node' | 'ood'
  readonly listen?: string
  readonly server?: string
  readonly tokenFile: string
  readonly root: string
  readonly host?: string
  readonly deviceKey?: string
  readonly dir?: string
  readonly port?: number
  readonly attempts: number
  readonly timeout: number
  readonly once?: true
  readonly json?: true
}

export function joinCommand(terminal: Terminal): Command {
  return command(terminal, 'join', {
    description: 'Join this host to a zone by files of gen join-token, and run it; its certificate stays in memory',
    examples: [
      'join --server 192.168.1.10:50051 --token-file node1.join-token --root root.pem',
      'join --token-file node1.join-token --root root.pem --once --json',
      'join --role ood --token-file ood2.join-token --root root.pem --listen 192.168.1.13:50051',
    ],
    exits: [5, 60, 61, 62, 63, 64, 65, 66, 67, 68, 69, 70],
  })
    .option('--server <address>', 'host and port of the control plane; default: what the token file says')
    .requiredOption('--token-file <file>', 'the token; - is stdin')
    .requiredOption('--root <file>', 'the root certificate that the control plane must show to be signed by')
    .option('--host <name>', 'who this host is; default: for whom the token is')
    .addOption(new Option('--role <role>', 'what it joins as').choices(['node', 'ood']).default('node'))
    .option('--listen <address>', 'of an OOD: host and port where it takes hosts itself')
    .option('--dir <folder>', `where this host keeps its keys; default ${DEFAULT_HOST_DIR}, of an OOD ${DEFAULT_DIR}`)
    .option('--device-key <file>', 'PEM of its device key; without it one is made in the folder')
    .option('--port <number>', 'of the gateway for programs of this host; 0 takes a free one', wholeNumber(0, 65_535))
    .option('--attempts <n>', 'before it gives up', wholeNumber(1, 1_000), limits.joinAttempts)
    .option('--timeout <seconds>', 'of each request', wholeNumber(1, 3_600), limits.joinAttemptMs / 1_000)
    .option('--once', 'end when it has joined and spoken by mTLS, in place of running; `node` does that later')
    .action((options: JoinCommandOptions) =>
      (options.role === 'ood' ? runJoinOod(terminal, options) : runJoin(terminal, options)))
}

async function runJoin(terminal: Terminal, options: JoinCommandOptions): Promise<void> {
  const style = styleOf(terminal.colours)
  const say = sayTo(terminal, options)
  const platform = await openPlatform()
  const { clock } = platform
  const given = readTokenFile(await textFile(terminal, options.tokenFile, 'token file'), options.tokenFile)
  const { dir = DEFAULT_HOST_DIR } = options
  demandRole(given, 'node')
  const host = hostOf(options, given.host)
  const place = addressOf(options.server ?? given.server)
  const roots = await rootsIn(terminal, options.root)
  const key = options.deviceKey === undefined ? undefined
    : await textFile(terminal, options.deviceKey, 'device key')
  const folder = await openJoining(platform, dir, { host, ...(key === undefined ? {} : { key }) })
  const rows: StepRow[] = []
  const layout = layoutOf(joinSequence, terminal.columns)
  const began = clock.now()
  const ending = new AbortController()
  const interrupted = terminal.interrupted().then((signal) => ending.abort(new Interrupted(`Interrupted by ${signal}`)))
  const settings: JoinOptions = {
    platform, given, host, ...place, attempts: options.attempts, attemptMs: options.timeout * 1_000, roots,
    device: folder.device, signal: ending.signal,
    onStep(number, evidence) {
      const row = stepRow({ sequence: JOIN_SEQUENCE, number, host, actor: 'host', at: clock.now(), evidence }, began)
      if (!row) return
      rows.push(row)
      for (const line of tableRow(row, layout, style)) say(line)
    },
    onRetry: (error, waitMs) => terminal.error(`${messageOf(error)}; again in ${duration(waitMs)}`),
  }
  for (const line of tableHead(layout, style)) say(line)
  let joined: Joined
  try {
    joined = await Promise.race([join(settings), interrupted.then((): never => { throw ending.signal.reason })])
    await folder.keep(joined, place, given)
  } finally {
    await folder.close()
  }
  for (const line of joinedLines(joined, clock.now())) say(line)
  const told = { ...summary(joined), joinMs: clock.now() - began, folder: folder.path, steps: rows }
  const isDevice = joined.role === 'client-device'
  if (options.once || isDevice) {
    if (options.json) terminal.out(JSON.stringify(told))
    say(isDevice ? `Use it by: ${terminal.invocation} tunnel --dir ${dir} --to SERVICE --listen 127.0.0.1:8081`
      : `Run it by: ${terminal.invocation} node --dir ${dir}`)
    return
  }
  await serveHost(terminal, platform, {
    folder: dir, certificate: joined.tls, ...(options.port === undefined ? {} : { port: options.port }),
  }, options.json ? { json: true } : {}, told)
}

/** Key and certificate are not among them. */
const summary = ({ zone, host, role, serial, notBefore, notAfter, skewMs }: Joined) =>
  ({ joined: true, zone, host, role, serial, notBefore, notAfter, skewMs })

function joinedLines({ zone, host, notAfter, skewMs }: Joined, now: number): readonly string[] {
  const skew = Math.abs(skewMs) < SKEW_TOLD_MS ? []
    : [`This clock is ${duration(Math.abs(skewMs))} ${skewMs > 0 ? 'behind' : 'ahead of'} that of the control plane`]
  return ['', `${host} has joined ${zone}; its certificate is good for ${duration(notAfter - now)}`, ...skew]
}
const SKEW_TOLD_MS = 2_000
