import { Denied } from '../../runtime/errors.ts'
import type { Terminal } from '../terminal.ts'
import { deniedNext } from './failure.ts'

export const SUDO = 'sudo'

/** Commands that may be run by sudo, and which of their parts where not all may. */
const possible: Readonly<Record<string, readonly string[] | undefined>> = {
  kv: ['get', 'set', 'list', 'tx', 'delete'], users: undefined, devices: undefined, sessions: undefined,
  passwd: undefined, whoami: undefined, keys: undefined,
  certs: undefined, ca: undefined, nodes: undefined,
}

export const sudoCommands: readonly string[] = Object.keys(possible)

const isPossible = (command: string, part: string | undefined): boolean => {
  if (!Object.hasOwn(possible, command)) return false
  const parts = possible[command]
  return parts === undefined || part === undefined || part.startsWith('-') || parts.includes(part)
}

/** Why these words are no command for sudo, or undefined. */
export function notBySudo([command = '', part]: readonly string[]): string | undefined {
  if (isPossible(command, part)) return undefined
  if (Object.hasOwn(possible, command)) return 'It goes on, and a sudo token is good for one request'
  if (ofHosts.has(command)) return 'It asks node-daemon, which takes no sudo tokens'
  return 'It asks nothing that a sudo token is for'
}

const ofHosts: ReadonlySet<string> = new Set(['status', 'ps', 'services', 'logs', 'kill', 'explain'])

/** By the reason of the refusal. */
const hints: Readonly<Record<string, string>> = {
  'rbac/no-rule': 'Sudo may be allowed more', 'rbac/sudo-only': 'By sudo it may be allowed',
}

/** What was said is not the whole of it: which lines there are for sudo is not told to who is refused. */
export function sudoHint({ args, invocation, sudo }: Terminal, error: unknown): unknown {
  if (!(error instanceof Denied) || sudo !== undefined) return error
  const reason = String(error.details['reason'])
  if (!Object.hasOwn(hints, reason)) return error
  const [command = '', part] = args
  if (!isPossible(command, part) || error.details['next'] !== undefined) return error
  const words = possible[command] && part !== undefined ? [command, part] : [command]
  const by = `${[invocation, SUDO, ...words].join(' ')} …`
  const next = [deniedNext(error.details['denial']), `${hints[reason]}: ${by}`].filter(Boolean).join('. ')
  return new Denied(error.message, { ...error.details, next })
}
