import { Argument, type Command } from 'commander'
import {
  isGood, readAuthorities, stepAuthority, type Authorities, type AuthorityEntry, type Step,
} from '../client/certificates.ts'
import { Usage } from '../errors.ts'
import { styleOf, type Style } from '../render.ts'
import { duration, table, type Cell, type Column } from '../table.ts'
import type { Terminal } from '../terminal.ts'
import { demandOwnerOrSudo, MOUNTS } from './certs.ts'
import { command, group } from './command.ts'
import { connect, connectOptions, show, type ConnectOptions } from './connect.ts'
import { ownerKeyOptions, requestByOwner, type OwnerKeyOptions } from './owner-signs.ts'

export function caCommand(terminal: Terminal): Command {
  return group(terminal, 'ca', {
    description: 'Show the authorities that sign a zone’s certificates, and replace them',
    examples: ['ca', 'sudo ca rotate pki', 'ca taint pki-etcd --owner-key ./.zone/owner.key'],
  }, [...verbs.map((verb) => stepCommand(terminal, verb))]).addCommand(listCommand(terminal), { isDefault: true })
}

function listCommand(terminal: Terminal): Command {
  return connectOptions(command(terminal, 'list', {
    description: 'List authorities: their state, when each ends, and which step comes next by itself',
    examples: ['ca', 'ca list --json'],
  })).action(async (options: ConnectOptions) => {
    const client = await connect(terminal, options)
    const found = await readAuthorities(client)
    show(terminal, options, found, () => linesOf(terminal, found, client.platform.clock.now()))
  })
}

const COLUMNS: readonly Column[] = [
  { head: 'mount' }, { head: 'kind' }, { head: 'state' }, { head: 'ends in', align: 'right' }, { head: 'subject' },
  { head: 'id', shrinks: true },
]

function linesOf(terminal: Terminal, { authorities, next, failure }: Authorities, now: number): readonly string[] {
  const style = styleOf(terminal.colours)
  const coming = next.map(({ mount, step, id, at }) => {
    const when = at > now ? `in ${duration(at - now)}, ${terminal.localTime(at)}` : 'now'
    return `${mount}: ${id.slice(0, 8)} takes the step ${style.bold(step)} by itself ${when}`
  })
  return [
    ...table(COLUMNS, authorities.map((each) => row(each, now, style)), terminal.columns, style),
    ...(coming.length === 0 ? [] : ['', ...coming]),
    ...(failure === '' ? [] : ['', style.bad(`They are not looked after now: ${failure}`)]),
  ]
}

function row(authority: AuthorityEntry, now: number, style: Style): readonly Cell[] {
  const { mount, kind, state, notAfter, subject, id, urgency = 'good' } = authority
  const left = notAfter - now
  const signs = state === 'active' && isGood({ urgency })
  return [
    { text: mount, paint: style.bold }, { text: kind }, { text: state, paint: signs ? style.good : (text) => text },
    { text: left > 0 ? duration(left) : 'ended', paint: isGood({ urgency }) ? (text) => text : style.bad },
    { text: subject }, { text: id },
  ]
}

interface Verb {
  readonly verb: string
  readonly step: Step
  readonly done: string
  readonly description: string
}

const verbs: readonly Verb[] = [
  {
    verb: 'rotate', step: 'prepare', done: 'The next authority was made. The other steps follow by themselves',
    description: 'Replace an authority: everybody is told of the next one, then it signs, and the old one goes',
  },
  {
    verb: 'prepare', step: 'prepare', done: 'The next authority was made, and is being told to everybody',
    description: 'Make the authority that is to follow; it signs nothing yet',
  },
  {
    verb: 'activate', step: 'activate', done: 'It signs from now on',
    description: 'Let the next authority sign; whoever has not heard of it trusts it by the old one',
  },
  {
    verb: 'taint', step: 'taint', done: 'It signs no more; what it signed is trusted',
    description: 'Let the old authority sign nothing more',
  },
  {
    verb: 'revoke', step: 'revoke', done: 'It is trusted no more',
    description: 'Trust the old authority no more; certificates by it that have not ended keep it from that',
  },
]

type StepOptions = ConnectOptions & OwnerKeyOptions & { readonly id?: string; readonly root?: true }

function stepCommand(terminal: Terminal, { verb, step, done, description }: Verb): Command {
  return ownerKeyOptions(connectOptions(command(terminal, verb, {
    description: `${description}: by an admin’s sudo, or by the owner key`,
    examples: [`sudo ca ${verb} pki`, `ca ${verb} pki --root --owner-key ./.zone/owner.key`],
  })), 'instead of sudo: signs this one request, and is not kept')
    .addArgument(new Argument('<mount>').choices(MOUNTS))
    .option('--id <id>', 'the authority that is meant; default: the one whose turn it is')
    .option('--root', 'the root, where the mount has an authority below it')
    .action(async (mount: string, options: StepOptions) => {
      demandOwnerOrSudo(terminal, options, `ca ${verb} ${mount}`)
      const client = await connect(terminal, options)
      const id = options.id ?? (options.root ? rootOf(await readAuthorities(client), mount, step) : undefined)
      const words = `${step} ${id === undefined ? 'an authority' : `the authority ${id}`} of ${mount}`
      const token = await requestByOwner(terminal, client, { audience: 'cert-manager', words }, options)
      const given = { mount, step, ...(id === undefined ? {} : { id }) }
      const authorities = await stepAuthority(client, given, token)
      const now = client.platform.clock.now()
      const style = styleOf(terminal.colours)
      show(terminal, options, { authorities }, () => [
        ...table(COLUMNS, authorities.map((each) => row(each, now, style)), terminal.columns, style), '', done,
      ])
    })
}

/** Of the mount's roots the one that this step is for. @throws Usage */
function rootOf({ authorities }: Authorities, mount: string, step: Step): string {
  const roots = authorities.filter((each) => each.mount === mount && each.kind === 'root')
  const active = roots.filter(({ state }) => state === 'active')
  const found = step === 'prepare' ? active.at(-1)
    : step === 'activate' ? roots.find(({ state }) => state === 'next')
    : step === 'taint' ? active.find((each) => each !== active.at(-1))
    : roots.find(({ state }) => state === 'tainted')
  if (found) return found.id
  throw new Usage(`There is no root of ${mount} for which this is the next step`, { next: 'See which there are: ca' })
}
