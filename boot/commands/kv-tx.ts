import type { Command } from 'commander'
import {
  array, integer, literal, minValue, number, optional, pipe, record, strictObject, string, transform, union, unknown,
  variant,
} from 'valibot'
import { kv, readRecord } from '../../actors/records.ts'
import { BootConfig } from '../../actors/system-config/protocol.ts'
import type { Infer } from '../../runtime/protocol.ts'
import { readDocument } from '../client/document.ts'
import { getItem, keyOf, transact } from '../client/kv.ts'
import { rootLifetimeSeconds, signRootToken } from '../client/owner-key.ts'
import type { ZoneClient } from '../client/zone-client.ts'
import { Interrupted, NotLoggedIn, Usage } from '../errors.ts'
import { cutTo, printable } from '../printable.ts'
import { fields } from '../table.ts'
import type { Terminal } from '../terminal.ts'
import { command } from './command.ts'
import { connect, connectOptions, show, type ConnectOptions } from './connect.ts'
import { secretIn, textFile } from './files.ts'

/** Values are text; what is written as a mapping or a list becomes the JSON of it. */
const Value = pipe(
  union([string(), array(unknown()), record(string(), unknown())]),
  transform((value) => (typeof value === 'string' ? value : JSON.stringify(value))),
)

const Transaction = strictObject({
  actions: record(string(), variant('action', [
    strictObject({ action: literal('create'), value: Value }),
    strictObject({ action: literal('update'), value: Value }),
    strictObject({ action: literal('append'), value: Value }),
    strictObject({ action: literal('set_by_path'), all_set: record(string(), unknown()) }),
    strictObject({ action: literal('remove') }),
  ])),
  main_key: optional(strictObject({ key: string(), revision: pipe(number(), integer(), minValue(0)) })),
})
type Transaction = Infer<typeof Transaction>

const FORM = 'It has `actions`: key: { action: create, update or append, value } or { action: remove }'

interface TxOptions extends ConnectOptions {
  readonly ownerKey?: string
  readonly ownerPassphraseFile?: string
  readonly yes?: true
}

export function kvTxCommand(terminal: Terminal): Command {
  return connectOptions(command(terminal, 'tx', {
    description: 'Change several keys, all or none',
    examples: [
      'kv tx ./change.yaml', 'kv tx - < change.json',
      'kv tx ./new-user.yaml --owner-key ./.zone/owner.key',
    ],
  }))
    .argument('<file>', 'YAML or JSON; - is stdin')
    .option('--owner-key <file>', 'for keys that only root writes: signs this one transaction, and is not kept')
    .option('--owner-passphrase-file <file>', 'its first line opens the owner key; - is stdin')
    .option('--yes', 'sign without being asked')
    .addHelpText('after', '\nThe file:\n  actions:\n    users/bob/settings: { action: create, value: '
      + '{ name: bob, type: user, state: active } }\n    users/old/note: { action: remove }\n'
      + '  main_key: { key: users/old/note, revision: 17 }   # optional: only if it was last written then')
    .action((path: string, options: TxOptions) => runTx(terminal, path, options))
}

async function runTx(terminal: Terminal, path: string, options: TxOptions): Promise<void> {
  if (path === '-' && options.ownerPassphraseFile === '-') {
    throw new Usage('Two files cannot both be stdin', { next: 'Give a path for one of them' })
  }
  const name = path === '-' ? 'stdin' : terminal.absolute(path)
  const given = readDocument(await textFile(terminal, path), name, Transaction, FORM)
  const actions = Object.fromEntries(Object.entries(given.actions).map(([key, action]) => [keyOf(key), action]))
  const guard = given.main_key && { key: keyOf(given.main_key.key), revision: given.main_key.revision }
  const client = await connect(terminal, options)
  const token = options.ownerKey === undefined ? undefined
    : await signed(terminal, client, { ...given, actions }, { ...options, ownerKey: options.ownerKey })
  const revision = await transact(client, actions, guard, token)
  const count = Object.keys(actions).length
  show(terminal, options, { revision, keys: Object.keys(actions) }, () =>
    [`${count} ${count === 1 ? 'key' : 'keys'} changed at revision ${revision}`])
}

/** Says what the owner key is to sign, asks, signs, and forgets the key. */
async function signed(
  terminal: Terminal, client: ZoneClient, transaction: Transaction, options: TxOptions & { ownerKey: string },
): Promise<string> {
  const { ownerPassphraseFile, yes, json } = options
  const path = terminal.absolute(options.ownerKey)
  const { epoch, zone } = await bootConfig(client)
  const say = (line: string): void => (json ? terminal.error(line) : terminal.out(line))
  for (const line of whatIsSigned(zone, epoch, path, transaction, terminal.columns)) say(line)
  if (!yes) {
    if (!terminal.interactive) {
      throw new Usage('There is no terminal to ask whether to sign', { next: 'Sign without being asked: --yes' })
    }
    const answer = await terminal.ask('Sign it? [y/N] ')
    if (!/^y(es)?$/i.test(answer.trim())) throw new Interrupted('Not signed: nothing was changed')
  }
  const pem = await textFile(terminal, options.ownerKey, 'owner key')
  const passphrase = ownerPassphraseFile === undefined ? undefined
    : await secretIn(terminal, ownerPassphraseFile, 'passphrase')
  return signRootToken(client.platform, pem, { path, epoch, ...(passphrase === undefined ? {} : { passphrase }) })
}

/** A token names the zone's epoch; any user may read it. */
async function bootConfig(client: ZoneClient): Promise<Infer<typeof BootConfig>> {
  const item = await getItem(client, kv.bootConfig)
  if (!item) throw new NotLoggedIn(`There is no ${kv.bootConfig} to read`)
  return readRecord(BootConfig, kv.bootConfig, item.value)
}

const VALUE_SHOWN = 2_000

function whatIsSigned(
  zone: string, epoch: number, path: string, { actions, main_key: guard }: Transaction, columns: number | undefined,
): readonly string[] {
  const about = fields([
    ['zone', `${zone}, epoch ${epoch}`],
    ['key', path],
    ['for', `system-config alone, ${rootLifetimeSeconds / 60} minutes, and for this one transaction:`],
  ], '  ')
  const changes = Object.entries(actions).map(([key, change]) => {
    const value = 'value' in change ? change.value : 'all_set' in change ? JSON.stringify(change.all_set) : ''
    return cutTo(`    ${change.action}  ${printable(key)}  ${printable(value.slice(0, VALUE_SHOWN))}`.trimEnd(),
      columns ?? VALUE_SHOWN)
  })
  const only = guard ? [`    only if ${printable(guard.key)} is at revision ${guard.revision}`] : []
  return ['The owner key will sign a root token:', ...about, ...changes, ...only]
}
