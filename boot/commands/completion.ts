import { Argument, Command, type Option } from 'commander'
import { limits } from '../../runtime/limits.ts'
import { within } from '../../runtime/within.ts'
import { readHosts } from '../client/hosts.ts'
import { listNames } from '../client/kv.ts'
import { DEFAULT_DIR } from '../client/locate.ts'
import type { ZoneClient } from '../client/zone-client.ts'
import { Unavailable } from '../../runtime/errors.ts'
import type { Terminal } from '../terminal.ts'
import { command } from './command.ts'
import { COMPLETE } from './complete-name.ts'
import { SUDO, sudoCommands } from './sudo-able.ts'
import { connect } from './connect.ts'
import { scripts, shells, type Shell } from './completion-scripts.ts'

export function completionCommand(terminal: Terminal): Command {
  const { name, invocation } = terminal
  return command(terminal, 'completion', {
    description: 'Print a script that lets a shell complete commands, options and the names of a running zone',
    examples: [
      `completion bash > ~/.local/share/bash-completion/completions/${name}`,
      `completion zsh > "\${fpath[1]}/_${name}"`,
      `completion fish > ~/.config/fish/completions/${name}.fish`,
    ],
  })
    .addArgument(new Argument('<shell>').choices(shells))
    .action((shell: Shell) => terminal.out(scripts[shell](name, invocation === name ? name : invocation).trimEnd()))
}

/** What the scripts ask: words so far, the last one unfinished; one candidate a line. It says nothing else, ever. */
export function completeCommand(terminal: Terminal, root: Command): Command {
  return new Command(COMPLETE)
    .argument('[words...]')
    .passThroughOptions()
    .allowUnknownOption()
    .helpOption(false)
    .action(async (words: string[]) => {
      const found = await candidates(terminal, root, words).catch(() => [])
      const last = words.at(-1) ?? ''
      for (const word of found) if (word.startsWith(last) && SAFE.test(word)) terminal.out(word)
    })
}

/** Names come from elsewhere, and a shell reads them. */
const SAFE = /^[A-Za-z0-9._~@:+=/-]+$/

async function candidates(terminal: Terminal, root: Command, words: readonly string[]): Promise<readonly string[]> {
  const inner = afterSudo(root, words)
  if (inner?.length === 1 && !inner[0]!.startsWith('-')) return sudoCommands
  if (inner) return candidates(terminal, root, inner)
  const before = words.slice(0, -1)
  const last = words.at(-1) ?? ''
  const given: Record<string, string> = {}
  let at = root
  const rest: string[] = []
  for (let index = 0; index < before.length; index++) {
    const word = before[index]!
    const option = optionOf(at, word)
    if (option?.required || option?.optional) {
      if (index === before.length - 1) return option.argChoices ?? []
      given[option.attributeName()] = before[++index]!
    } else if (!word.startsWith('-')) {
      const next = rest.length === 0 ? at.commands.find((each) => each.name() === word) : undefined
      if (next) at = next
      else rest.push(word)
    }
  }
  if (last.startsWith('-')) return at.createHelp().visibleOptions(at).flatMap(({ long }) => long ?? [])
  const visible = at.createHelp().visibleCommands(at).map((each) => each.name())
  if (visible.length > 0) return rest.length === 0 ? visible : []
  const argument = at.registeredArguments[rest.length]
  if (argument?.argChoices) return argument.argChoices
  const path = at.parent === root ? at.name() : `${at.parent?.name()} ${at.name()}`
  const names = Object.hasOwn(remote, path) && rest.length === 0 ? remote[path] : undefined
  if (!names) return []
  // No key is loaded, and no token signed, for a name that is completed
  const client = await connect(terminal, { dir: DEFAULT_DIR, ...given })
  return within(client.platform.clock, limits.completionMs, names(client, last), () => new Unavailable('Too late'))
}

/** What of the words is the command that sudo runs, the last one unfinished; undefined while there is none. */
function afterSudo(root: Command, words: readonly string[]): readonly string[] | undefined {
  const sudo = root.commands.find((each) => each.name() === SUDO)
  if (words[0] !== SUDO || !sudo) return undefined
  let at = 1
  while (at < words.length - 1 && words[at]!.startsWith('-')) at += optionOf(sudo, words[at]!)?.required ? 2 : 1
  return at < words.length && !words[at]!.startsWith('-') ? words.slice(at) : undefined
}

const optionOf = (of: Command, word: string): Option | undefined =>
  of.options.find(({ long, short }) => word === long || word === short)

type Names = (client: ZoneClient, last: string) => Promise<readonly string[]>

const targets: Names = async (client) => (await readHosts(client)).flatMap(({ host, actors }) =>
  [host, ...actors.map(({ name }) => `${host}/${name}`)])
const hosts: Names = async (client) => (await readHosts(client)).map(({ host }) => host)
const services: Names = (client) => listNames(client, 'services')
const devices: Names = (client) => listNames(client, 'devices')
/** For who may list them; others are offered themselves. */
const users: Names = (client) => listNames(client, 'users').catch(async () => [await client.user()])
const keys: Names = async (client, last) => {
  const folder = last.slice(0, last.lastIndexOf('/') + 1)
  if (folder === '') return ['boot/', 'devices/', 'nodes/', 'services/', 'system/', 'users/']
  return (await listNames(client, folder.slice(0, -1))).map((name) => folder + name)
}

const USERS = ['show', 'suspend', 'activate', 'delete', 'unlock', 'key']

const remote: Readonly<Record<string, Names>> = {
  'ps': hosts, 'drain': hosts, 'undrain': hosts, 'kill': targets, 'logs': targets,
  'services show': services, 'services start': services, 'services stop': services, 'services restart': services,
  'services remove': services,
  'devices show': devices, 'passwd': users, 'login': users,
  ...Object.fromEntries(USERS.map((name) => [`users ${name}`, users])),
  'kv get': keys, 'kv set': keys, 'kv list': keys, 'kv watch': keys, 'kv delete': keys,
}
