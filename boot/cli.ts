import { Command, CommanderError } from 'commander'
import { ZonewrightError } from '../runtime/errors.ts'
import { COMPLETE } from './commands/complete-name.ts'
import { exitCodeOf, failureLines, failureOf, isAnswer, usageMessage } from './commands/failure.ts'
import { SUDO, sudoHint } from './commands/sudo-able.ts'
import { Usage } from './errors.ts'
import { jsonLine } from './printable.ts'
import { styleOf } from './render.ts'
import { openTerminal, type Terminal } from './terminal.ts'

type Make = (terminal: Terminal) => Promise<Command>

/** By heading of the help. What a command needs is loaded when it is asked for: most of them are asked for alone. */
const groups: Readonly<Record<string, Readonly<Record<string, Make>>>> = {
  'Start a zone:': {
    up: async (terminal) => (await import('./commands/up.ts')).upCommand(terminal),
    gen: async (terminal) => (await import('./commands/gen.ts')).genCommand(terminal),
    start: async (terminal) => (await import('./commands/up.ts')).startCommand(terminal),
    prove: async (terminal) => (await import('./commands/prove.ts')).proveCommand(terminal),
    sim: async (terminal) => (await import('./commands/sim.ts')).simCommand(terminal),
  },
  'Let hosts join:': {
    'join-tokens': async (terminal) => (await import('./commands/join-tokens.ts')).joinTokensCommand(terminal),
    hosts: async (terminal) => (await import('./commands/hosts.ts')).hostsCommand(terminal),
    revoke: async (terminal) => (await import('./commands/hosts.ts')).revokeCommand(terminal),
    join: async (terminal) => (await import('./commands/join.ts')).joinCommand(terminal),
    node: async (terminal) => (await import('./commands/node.ts')).nodeCommand(terminal),
    tunnel: async (terminal) => (await import('./commands/tunnel.ts')).tunnelCommand(terminal),
  },
  'Use a running zone:': {
    status: async (terminal) => (await import('./commands/status.ts')).statusCommand(terminal),
    ps: async (terminal) => (await import('./commands/ps.ts')).psCommand(terminal),
    nodes: async (terminal) => (await import('./commands/nodes.ts')).nodesCommand(terminal),
    services: async (terminal) => (await import('./commands/services.ts')).servicesCommand(terminal),
    kv: async (terminal) => (await import('./commands/kv.ts')).kvCommand(terminal),
    logs: async (terminal) => (await import('./commands/logs.ts')).logsCommand(terminal),
    drain: async (terminal) => (await import('./commands/drain.ts')).drainCommand(terminal),
    undrain: async (terminal) => (await import('./commands/drain.ts')).undrainCommand(terminal),
    kill: async (terminal) => (await import('./commands/kill.ts')).killCommand(terminal),
    rbac: async (terminal) => (await import('./commands/rbac.ts')).rbacCommand(terminal),
    explain: async (terminal) => (await import('./commands/explain.ts')).explainCommand(terminal),
  },
  'Who you are, and who else there is:': {
    login: async (terminal) => (await import('./commands/login.ts')).loginCommand(terminal),
    logout: async (terminal) => (await import('./commands/login.ts')).logoutCommand(terminal),
    whoami: async (terminal) => (await import('./commands/whoami.ts')).whoamiCommand(terminal),
    sessions: async (terminal) => (await import('./commands/sessions.ts')).sessionsCommand(terminal),
    passwd: async (terminal) => (await import('./commands/passwd.ts')).passwdCommand(terminal),
    users: async (terminal) => (await import('./commands/users.ts')).usersCommand(terminal),
    devices: async (terminal) => (await import('./commands/devices.ts')).devicesCommand(terminal),
    [SUDO]: async (terminal) => (await import('./commands/sudo.ts')).sudoCommand(terminal, perform),
  },
  'Keep a zone safe:': {
    vault: async (terminal) => (await import('./commands/vault.ts')).vaultCommand(terminal),
    keys: async (terminal) => (await import('./commands/keys.ts')).keysCommand(terminal),
    audit: async (terminal) => (await import('./commands/audit.ts')).auditCommand(terminal),
    certs: async (terminal) => (await import('./commands/certs.ts')).certsCommand(terminal),
    ca: async (terminal) => (await import('./commands/ca.ts')).caCommand(terminal),
    backup: async (terminal) => (await import('./commands/backup.ts')).backupCommand(terminal),
    restore: async (terminal) => (await import('./commands/restore.ts')).restoreCommand(terminal),
    recover: async (terminal) => (await import('./commands/recover.ts')).recoverCommand(terminal),
  },
  'This program:': {
    trust: async (terminal) => (await import('./commands/trust.ts')).trustCommand(terminal),
    completion: async (terminal) => (await import('./commands/completion.ts')).completionCommand(terminal),
    'exit-codes': async (terminal) => (await import('./commands/exit-codes.ts')).exitCodesCommand(terminal),
  },
}

async function program(terminal: Terminal): Promise<Command> {
  const { invocation, args } = terminal
  const root = new Command(terminal.name)
    .description('Boots a zone from one trust key, attacks it, simulates it, and operates it.')
    .helpCommand('help [command]', 'Show the help of a command')
    .addHelpText('after', `\nStart here:\n  ${invocation} up\n\nExit codes: ${invocation} help exit-codes`)
    .enablePositionalOptions()
  const completing = args[0] === COMPLETE
  // `__complete -- kv g`: a first word that is finished
  const asked = completing && args.length > 3 ? args[2] : args[0]
  const isAlone = (!completing || asked !== SUDO)
    && Object.values(groups).some((makers) => Object.hasOwn(makers, asked ?? ''))
  for (const [heading, makers] of Object.entries(groups)) {
    for (const [name, make] of Object.entries(makers)) {
      if (!isAlone || name === asked) root.addCommand((await make(terminal)).helpGroup(heading))
    }
  }
  if (completing) {
    const { completeCommand } = await import('./commands/completion.ts')
    root.addCommand(completeCommand(terminal, root), { hidden: true })
  }
  quiet(terminal, root)
  return root
}

/** What commander says goes through the terminal, and its errors through ours. */
function quiet(terminal: Terminal, command: Command): void {
  command
    .exitOverride()
    .configureOutput({ writeOut: (text) => terminal.out(text.trimEnd()), writeErr: () => {} })
  for (const each of command.commands) quiet(terminal, each)
}

/** Does what a command line says. @throws Usage where it cannot be read, and what the command throws */
async function perform(terminal: Terminal): Promise<void> {
  const root = await program(terminal)
  try {
    if (terminal.args.length === 0) root.outputHelp()
    else await root.parseAsync(terminal.args, { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw sudoHint(terminal, error)
    if (!isAnswer(error)) throw usage(terminal, root, error)
  }
}

/** @returns the exit code */
const run = (terminal: Terminal): Promise<number> =>
  perform(terminal).then(() => 0, (error: unknown) => fail(terminal, error))

function usage({ invocation, args }: Terminal, root: Command, error: CommanderError): Error {
  const { message, hint } = usageMessage(error)
  const words: string[] = []
  let at = root
  for (const word of args) {
    const next = at.commands.find((each) => each.name() === word)
    if (!next) break
    at = next
    words.push(word)
  }
  const members = at.commands.map((each) => each.name())
  const isOpen = error.code === 'commander.help' && at !== root && members.length > 0
  const help = [invocation, ...words, '--help'].join(' ')
  return new Usage(isOpen ? `Which ${words.join(' ')}? ${members.join(', ')}` : message, {
    next: [hint, help].filter(Boolean).join(' '),
  })
}

/** Commands that boot a zone say with --json whether it is ready. */
const BOOTING = ['up', 'start', 'prove']

function fail(terminal: Terminal, error: unknown): number {
  const { args } = terminal
  const has = (flag: string): boolean => args.includes(flag)
  for (const line of failureLines(error, styleOf(terminal.colours), has('--debug'))) terminal.error(line)
  const shown = error instanceof ZonewrightError && error.details['shown'] === true
  if (has('--json') && !shown) {
    const ready = BOOTING.includes(args[0] ?? '') ? { ready: false } : {}
    terminal.out(jsonLine({ ...ready, error: failureOf(error) }))
  }
  return exitCodeOf(error)
}

const terminal = openTerminal()
terminal.onUncaught((error) => fail(terminal, error))
terminal.close(await run(terminal))
