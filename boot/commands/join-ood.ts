import { JOIN_SEQUENCE } from '../../actors/join-steps.ts'
import { messageOf } from '../../runtime/errors.ts'
import { openPlatform } from '../../runtime/platform/index.ts'
import { DEFAULT_DIR } from '../client/locate.ts'
import { Interrupted } from '../errors.ts'
import { joinOod, type JoinedOod } from '../join/join-ood.ts'
import { openOodJoining } from '../join/ood-folder.ts'
import { readTokenFile } from '../join/token-file.ts'
import { layoutOf, stepRow, styleOf, tableHead, tableRow, type StepRow } from '../render.ts'
import { joinSequence } from '../sequences.ts'
import { duration } from '../table.ts'
import type { Terminal } from '../terminal.ts'
import { sayTo } from './boot-zone.ts'
import { textFile } from './files.ts'
import { addressOf, demandRole, hostOf, listenOf, rootsIn } from './join-given.ts'
import type { JoinCommandOptions } from './join.ts'

/** Joins as an OOD: waits for the owner, writes the folder, and leaves the running to `start`. */
export async function runJoinOod(terminal: Terminal, options: JoinCommandOptions): Promise<void> {
  const style = styleOf(terminal.colours)
  const say = sayTo(terminal, options)
  const platform = await openPlatform()
  const { clock } = platform
  const { dir = DEFAULT_DIR } = options
  const listen = listenOf(options.listen)
  const given = readTokenFile(await textFile(terminal, options.tokenFile, 'token file'), options.tokenFile)
  demandRole(given, 'ood')
  const host = hostOf(options, given.host)
  const place = addressOf(options.server ?? given.server)
  const roots = await rootsIn(terminal, options.root)
  const key = options.deviceKey === undefined ? undefined
    : await textFile(terminal, options.deviceKey, 'device key')
  const folder = await openOodJoining(platform, dir, { host, ...(key === undefined ? {} : { key }) })
  const rows: StepRow[] = []
  const layout = layoutOf(joinSequence, terminal.columns)
  const began = clock.now()
  const ending = new AbortController()
  const interrupted = terminal.interrupted().then((signal) => ending.abort(new Interrupted(`Interrupted by ${signal}`, {
    next: 'Run it again: it asks by the same request',
  })))
  for (const line of tableHead(layout, style)) say(line)
  let joined: JoinedOod
  try {
    joined = await Promise.race([joinOod({
      platform, given, host, ...place, attempts: options.attempts, attemptMs: options.timeout * 1_000, roots,
      device: folder.device, asked: folder.asked, signal: ending.signal,
      onStep(number, evidence) {
        const row = stepRow({ sequence: JOIN_SEQUENCE, number, host, actor: 'host', at: clock.now(), evidence }, began)
        if (!row) return
        rows.push(row)
        for (const line of tableRow(row, layout, style)) say(line)
      },
      onRetry: (error, waitMs) => terminal.error(`${messageOf(error)}; again in ${duration(waitMs)}`),
      // On stderr, so that it is seen with --json as well
      onWaiting: (device) => {
        for (const line of waitingLines(terminal, host, device)) terminal.error(line)
      },
    }), interrupted.then((): never => { throw ending.signal.reason })])
    await folder.keep(joined, listen)
  } finally {
    await folder.close()
  }
  const { zone, serial, notAfter, etcd: { endpoints } } = joined
  if (options.json) {
    terminal.out(JSON.stringify({
      joined: true, role: 'ood', zone, host, serial, notAfter, device: folder.device.public.kid, endpoints,
      joinMs: clock.now() - began, folder: folder.path, steps: rows,
    }))
  }
  say('')
  say(`${host} is an OOD of ${zone}: its folder has all that it needs, the owner key is not in it`)
  say(`Run it by: ${terminal.invocation} start --dir ${dir}`)
}

const waitingLines = (terminal: Terminal, host: string, device: string): readonly string[] => [
  '', `The zone has noted ${host}, and its owner decides. The fingerprint of this device key is`, `  ${device}`,
  'Compare it with what the zone shows:',
  `  ${terminal.invocation} hosts pending`,
  `  ${terminal.invocation} hosts approve ${host} --owner-key FILE --fingerprint ${device}`, '',
]
