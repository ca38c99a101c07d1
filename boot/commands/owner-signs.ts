import type { Command } from 'commander'
import type { Guard } from '../client/kv.ts'
import { rootLifetimeSeconds, signRootToken } from '../client/owner-key.ts'
import type { ZoneClient } from '../client/zone-client.ts'
import { Interrupted, Usage } from '../errors.ts'
import { cutTo, printable } from '../printable.ts'
import { fields } from '../table.ts'
import type { Terminal } from '../terminal.ts'
import { secretIn, textFile } from './files.ts'

/** What only root may do, by a file with the owner key. */
export interface OwnerKeyOptions {
  readonly ownerKey?: string
  readonly ownerPassphraseFile?: string
  readonly yes?: true
}

export const ownerKeyOptions = (of: Command, what: string): Command => of
  .option('--owner-key <file>', what)
  .option('--owner-passphrase-file <file>', 'its first line opens the owner key; - is stdin')
  .option('--yes', 'sign without being asked')

export interface Change {
  readonly action: string
  readonly value?: string
  readonly all_set?: Readonly<Record<string, unknown>>
}

export interface OwnerSigns {
  readonly actions: Readonly<Record<string, Change>>
  readonly guard?: Guard
}

/**
 * Says what the owner key is to sign, asks, signs, and forgets the key. @returns undefined when none was given
 * @throws Usage, Interrupted, OwnerKeyNeeded
 */
export async function signedByOwner(
  terminal: Terminal, client: ZoneClient, signs: OwnerSigns, options: OwnerKeyOptions & { readonly json?: true },
): Promise<string | undefined> {
  const { ownerKey, ownerPassphraseFile, yes, json } = options
  if (ownerKey === undefined) return undefined
  const path = terminal.absolute(ownerKey)
  const { epoch, zone } = await client.boot()
  const say = (line: string): void => (json ? terminal.error(line) : terminal.out(line))
  for (const line of whatIsSigned(zone, epoch, path, signs, terminal.columns)) say(line)
  if (!yes) {
    if (!terminal.interactive) {
      throw new Usage('There is no terminal to ask whether to sign', { next: 'Sign without being asked: --yes' })
    }
    const answer = await terminal.ask('Sign it? [y/N] ')
    if (!/^y(es)?$/i.test(answer.trim())) throw new Interrupted('Not signed: nothing was changed')
  }
  const pem = await textFile(terminal, ownerKey, 'owner key')
  const passphrase = ownerPassphraseFile === undefined ? undefined
    : await secretIn(terminal, ownerPassphraseFile, 'passphrase')
  return signRootToken(client.platform, pem, { path, epoch, ...(passphrase === undefined ? {} : { passphrase }) })
}

const VALUE_SHOWN = 2_000

function whatIsSigned(
  zone: string, epoch: number, path: string, { actions, guard }: OwnerSigns, columns: number | undefined,
): readonly string[] {
  const about = fields([
    ['zone', `${zone}, epoch ${epoch}`],
    ['key', path],
    ['for', `system-config alone, ${rootLifetimeSeconds / 60} minutes, and for this one transaction:`],
  ], '  ')
  const changes = Object.entries(actions).map(([key, change]) => {
    const value = change.value ?? (change.all_set === undefined ? '' : JSON.stringify(change.all_set))
    return cutTo(`    ${change.action}  ${printable(key)}  ${printable(value.slice(0, VALUE_SHOWN))}`.trimEnd(),
      columns ?? VALUE_SHOWN)
  })
  const only = guard ? [`    only if ${printable(guard.key)} is at revision ${guard.revision}`] : []
  return ['The owner key will sign a root token:', ...about, ...changes, ...only]
}
