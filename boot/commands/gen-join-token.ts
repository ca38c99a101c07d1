import { Option, type Command } from 'commander'
import { JOIN_SEQUENCE, joinStep } from '../../actors/join-steps.ts'
import { limits } from '../../runtime/limits.ts'
import { joinTokensOf } from '../client/join-tokens.ts'
import { tokenFileOf } from '../join/token-file.ts'
import { stepRow, styleOf } from '../render.ts'
import { duration, fields } from '../table.ts'
import type { Terminal } from '../terminal.ts'
import { command, wholeNumber } from './command.ts'
import { connect, connectOptions, show, type ConnectOptions } from './connect.ts'
import { readGiven } from './given-files.ts'

interface JoinTokenOptions extends Omit<ConnectOptions, 'dir'> {
  readonly dir?: string
  readonly config?: string
  readonly out: string
  readonly host: string
  readonly role: string
  readonly owner?: string
  readonly cidr?: string
  readonly ttl?: number
  readonly print?: true
}

const encoder = new TextEncoder()

export function joinTokenCommand(terminal: Terminal): Command {
  const of = connectOptions(command(terminal, 'join-token', {
    description: 'Let one host join: the running zone makes a token, which becomes a file beside the root certificate',
    examples: [
      'gen join-token --host node1 --out ./for-node1',
      'gen join-token --host ood2 --role ood --out ./for-ood2',
      'gen join-token --host node1 --out ./for-node1 --cidr 10.0.0.0/24 --ttl 600',
    ],
    exits: [4, 14, 17, 18],
  }))
  return of
    .option('--config <file>', 'as the zone was started with: it names the folder')
    .requiredOption('--host <name>', 'the host that may join by it')
    .requiredOption('--out <folder>', 'where the two files go; made if it is missing')
    .addOption(new Option('--role <role>', 'what it joins as; ood where the stores are in etcd')
      .choices(['node', 'ood', 'client-device']).default('node'))
    .option('--owner <user>', 'whose a client device is; default: the owner of the zone')
    .option('--cidr <range>', 'from these addresses only: 10.0.0.0/24')
    .option('--ttl <seconds>', `how long it is good; default ${limits.joinTokenSeconds}`,
      wholeNumber(1, limits.joinTokenSecondsMax))
    .option('--print', 'print the token as well')
    .action((options: JoinTokenOptions) => runJoinToken(terminal, options))
}

async function runJoinToken(terminal: Terminal, options: JoinTokenOptions): Promise<void> {
  const { host, role, owner, cidr, ttl: ttlSeconds } = options
  const { config } = options
  const dir = config === undefined ? options.dir! : (await readGiven(terminal, { config })).folder
  const client = await connect(terminal, { ...options, dir })
  const { platform } = client
  const began = platform.clock.now()
  const made = await joinTokensOf(terminal, client, dir).create({
    host, role, ...(owner === undefined ? {} : { owner }), ...(cidr === undefined ? {} : { cidr }),
    ...(ttlSeconds === undefined ? {} : { ttlSeconds }),
  })
  const folder = terminal.absolute(options.out)
  const files = await platform.host.openFolder(folder)
  const names = { token: `${host}.join-token`, root: 'root.pem' }
  await files.write(names.token, encoder.encode(tokenFileOf(made)), { mode: 0o600 })
  await files.write(names.root, encoder.encode(made.roots.join('')), { mode: 0o600 })
  const { id, expiresAt } = made.record
  const row = stepRow({
    sequence: JOIN_SEQUENCE, number: joinStep.filesWritten, host: 'admin', actor: 'admin', at: platform.clock.now(),
    evidence: { jti: id, host, files: 2 },
  }, began)
  const [token, root] = [files.path(names.token), files.path(names.root)]
  const told = {
    id, host, role, server: made.server, expiresAt, files: { token, root }, steps: [row],
    ...(cidr === undefined ? {} : { cidr }), ...(options.print ? { token: made.token } : {}),
  }
  show(terminal, options, told, () => {
    const { bold } = styleOf(terminal.colours)
    return [
      ...fields([
        ['token', token], ['root', root],
        ['good for', `${duration(expiresAt - platform.clock.now())}, for ${host} alone`],
        ...(cidr === undefined ? [] : [['from', cidr] as const]),
      ]),
      ...(options.print ? [made.token] : []),
      '', `Bring both files to ${host}, by a way that nobody else reads, and there:`,
      bold(`  ${terminal.invocation} join --server ${made.server} --token-file ${names.token} --root ${names.root}`
        + (role === 'ood' ? ' --role ood --listen ADDRESS:PORT' : '')),
      ...(role === 'ood' ? [
        '', `It shows a fingerprint; then: ${terminal.invocation} hosts approve ${host} --owner-key FILE`,
      ] : []),
    ]
  })
}
