import type { Command } from 'commander'
import {
  array, integer, literal, minValue, number, optional, pipe, record, strictObject, string, transform, union, unknown,
  variant,
} from 'valibot'
import { readDocument } from '../client/document.ts'
import { keyOf, transact } from '../client/kv.ts'
import { Usage } from '../errors.ts'
import type { Terminal } from '../terminal.ts'
import { command } from './command.ts'
import { connect, connectOptions, show, type ConnectOptions } from './connect.ts'
import { textFile } from './files.ts'
import { ownerKeyOptions, signedByOwner, type OwnerKeyOptions } from './owner-signs.ts'

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

const FORM = 'It has `actions`: key: { action: create, update or append, value } or { action: remove }'

export function kvTxCommand(terminal: Terminal): Command {
  return ownerKeyOptions(connectOptions(command(terminal, 'tx', {
    description: 'Change several keys, all or none',
    examples: [
      'kv tx ./change.yaml', 'kv tx - < change.json',
      'kv tx ./new-user.yaml --owner-key ./.zone/owner.key',
    ],
  })), 'for keys that only root writes: signs this one transaction, and is not kept')
    .argument('<file>', 'YAML or JSON; - is stdin')
    .addHelpText('after', '\nThe file:\n  actions:\n    users/bob/settings: { action: create, value: '
      + '{ name: bob, type: user, state: active } }\n    users/old/note: { action: remove }\n'
      + '  main_key: { key: users/old/note, revision: 17 }   # optional: only if it was last written then')
    .action((path: string, options: ConnectOptions & OwnerKeyOptions) => runTx(terminal, path, options))
}

async function runTx(terminal: Terminal, path: string, options: ConnectOptions & OwnerKeyOptions): Promise<void> {
  if (path === '-' && options.ownerPassphraseFile === '-') {
    throw new Usage('Two files cannot both be stdin', { next: 'Give a path for one of them' })
  }
  if (terminal.sudo !== undefined && options.ownerKey !== undefined) {
    throw new Usage('One of them signs: your own key, or the owner key', { next: 'Leave out sudo, or --owner-key' })
  }
  const name = path === '-' ? 'stdin' : terminal.absolute(path)
  const given = readDocument(await textFile(terminal, path), name, Transaction, FORM)
  const actions = Object.fromEntries(Object.entries(given.actions).map(([key, action]) => [keyOf(key), action]))
  const guard = given.main_key && { key: keyOf(given.main_key.key), revision: given.main_key.revision }
  const client = await connect(terminal, options)
  const token = await signedByOwner(terminal, client, { actions, ...(guard ? { guard } : {}) }, options)
  const revision = await transact(client, actions, guard, token)
  const count = Object.keys(actions).length
  show(terminal, options, { revision, keys: Object.keys(actions) }, () =>
    [`${count} ${count === 1 ? 'key' : 'keys'} changed at revision ${revision}`])
}
