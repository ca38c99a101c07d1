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
  if (options.ownerKey === undefined) return undefined
  const lines = linesOf(signs, terminal)
  return signed(terminal, client, { audience: 'system-config', what: 'transaction', lines }, options)
}

/** The same for one request to another actor. @returns undefined when no key was given */
export async function requestByOwner(
  terminal: Terminal, client: ZoneClient, request: { readonly audience: string; readonly words: string },
  options: OwnerKeyOptions & { readonly json?: true },
): Promise<string | undefined> {
  if (options.ownerKey === undefined) return undefined
  const { audience, words } = request
  return signed(terminal, client, { audience, what: 'request', lines: [`    ${printable(words)}`] }, options)
}

interface Signs {
  readonly audience: string
  readonly what: string
  readonly lines: readonly string[]
}

async function signed(
  terminal: Terminal, client: ZoneClient, signs: Signs, options: OwnerKeyOptions & { readonly json?: true },
): Promise<string> {
  const { ownerKey = '', ownerPassphraseFile, yes, json } = options
  const { audience } = signs
  const path = terminal.absolute(ownerKey)
  const { epoch, zone } = await client.boot()
  const say = (line: string): void => (json ? terminal.error(line) : terminal.out(line))
  for (const line of whatIsSigned(zone, epoch, path, signs)) say(line)
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
  const given = passphrase === undefined ? {} : { passphrase }
  return signRootToken(client.platform, pem, { path, epoch, audience, ...given })
}

const VALUE_SHOWN = 2_000

function whatIsSigned(zone: string, epoch: number, path: string, { audience, what, lines }: Signs): readonly string[] {
  const about = fields([
    ['zone', `${zone}, epoch ${epoch}`],
    ['key', path],
    ['for', `${audience} alone, ${rootLifetimeSeconds / 60} minutes, and for this one ${what}:`],
  ], '  ')
  return ['The owner key will sign a root token:', ...about, ...lines]
}

function linesOf({ actions, guard }: OwnerSigns, { columns }: Terminal): readonly string[] {
  const changes = Object.entries(actions).map(([key, change]) => {
    const value = change.value ?? (change.all_set === undefined ? '' : JSON.stringify(change.all_set))
    return cutTo(`    ${change.action}  ${printable(key)}  ${printable(value.slice(0, VALUE_SHOWN))}`.trimEnd(),
      columns ?? VALUE_SHOWN)
  })
  const only = guard ? [`    only if ${printable(guard.key)} is at revision ${guard.revision}`] : []
  return [...changes, ...only]
}
