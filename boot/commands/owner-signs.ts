import { kv, readRecord } from '../../actors/records.ts'
import { BootConfig } from '../../actors/system-config/protocol.ts'
import { getItem, type Guard } from '../client/kv.ts'
import { rootLifetimeSeconds, signRootToken } from '../client/owner-key.ts'
import type { ZoneClient } from '../client/zone-client.ts'
import { Interrupted, NotLoggedIn, Usage } from '../errors.ts'
import { cutTo, printable } from '../printable.ts'
import { fields } from '../table.ts'
import type { Terminal } from '../terminal.ts'
import { secretIn, textFile } from './files.ts'

export interface SignOptions {
  readonly ownerKey: string
  readonly ownerPassphraseFile?: string
  /** Without being asked. */
  readonly yes?: true
  readonly json?: true
}

type Action =
  | { readonly action: string; readonly value: string }
  | { readonly action: string; readonly all_set: object }
  | { readonly action: 'remove' }

interface Transaction {
  readonly actions: Readonly<Record<string, Action>>
  readonly main_key?: Guard | undefined
}

/** Says what the owner key is to sign, asks, signs, and forgets the key. */
export async function ownerSigns(
  terminal: Terminal, client: ZoneClient, transaction: Transaction, options: SignOptions,
): Promise<string> {
  const { ownerPassphraseFile, yes, json } = options
  const path = terminal.absolute(options.ownerKey)
  const { epoch, zone } = (await bootConfig(client)).config
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
export async function bootConfig(client: ZoneClient): Promise<{ config: BootConfig; revision: number }> {
  const item = await getItem(client, kv.bootConfig)
  if (!item) throw new NotLoggedIn(`There is no ${kv.bootConfig} to read`)
  return { config: readRecord(BootConfig, kv.bootConfig, item.value), revision: item.revision }
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
