import type { Command } from 'commander'
import { KeyExists, KeyNotFound } from '../../actors/system-config/protocol.ts'
import { transact } from '../client/kv.ts'
import { openSudo } from '../client/sudo.ts'
import { documentChange, keyPlace, makeKey, placeAt, type KeyPlace } from '../client/user-key.ts'
import { userName } from '../client/users.ts'
import type { ZoneClient } from '../client/zone-client.ts'
import { Usage } from '../errors.ts'
import { printable } from '../printable.ts'
import type { Terminal } from '../terminal.ts'
import { command } from './command.ts'
import { connect, connectOptions, show } from './connect.ts'
import { secretIn } from './files.ts'
import { ownerKeyOptions, signedByOwner } from './owner-signs.ts'
import type { ByOwner } from './users-state.ts'

interface KeyOptions extends ByOwner {
  readonly out?: string
  readonly passphraseFile?: string
  readonly replace?: true
}

export function userKeyCommand(terminal: Terminal): Command {
  return ownerKeyOptions(connectOptions(command(terminal, 'key', {
    description: 'Make the key that a user signs with for sudo: the first one by the owner key, others by their own',
    examples: [
      'users key alice --owner-key ./.zone/owner.key', 'users key alice --passphrase-file ./passphrase',
      'users key bob --owner-key ./.zone/owner.key --out ./bob.key', 'sudo --key ./bob.key users key bob',
    ],
  })), 'makes the first key, or with --replace another for one that was lost; is not kept')
    .argument('<name>')
    .option('--out <file>', 'where the new key goes, 0600; default: where sudo looks for it')
    .option('--passphrase-file <file>', 'encrypts the new key by its first line; - is stdin')
    .option('--replace', 'with --owner-key: also where the user has a key')
    .action((name: string, options: KeyOptions) => runKey(terminal, userName(name), options))
}

async function runKey(terminal: Terminal, name: string, options: KeyOptions): Promise<void> {
  const { ownerKey, out, passphraseFile, replace, ownerPassphraseFile } = options
  if (passphraseFile === '-' && ownerPassphraseFile === '-') {
    throw new Usage('Two files cannot both be stdin', { next: 'Give a path for one of them' })
  }
  const client = await connect(terminal, options)
  const me = ownerKey === undefined ? await client.user() : name
  if (name !== me) {
    throw new Usage(`You are ${me}; the key of another user is made by the owner key`, {
      next: 'Give it with --owner-key',
    })
  }
  const passphrase = passphraseFile === undefined ? undefined : await secretIn(terminal, passphraseFile, 'passphrase')
  const made = await makeKey(client.platform, placeOf(terminal, client, name, out), {
    user: name, replaces: out === undefined, ...(passphrase === undefined ? {} : { passphrase }),
  })
  const actions = documentChange(ownerKey !== undefined && !replace ? 'create' : 'update', made.document)
  const revision = await made.install(async () => {
    const token = await signedByOwner(terminal, client, { actions }, options) ?? await ownToken(terminal, client)
    return transact(client, actions, undefined, token).catch((error: unknown) => { throw explained(error, name) })
  })
  const { kid } = client.platform.keys.importJwk(made.document.key)
  show(terminal, options, { user: name, kid, path: made.path, revision }, () => [
    `${printable(name)} signs for sudo by key ${kid}`, `It is in ${printable(made.path)}: keep it to yourself`,
  ])
}

export const placeOf = (
  terminal: Terminal, { platform, located }: ZoneClient, name: string, out: string | undefined,
): KeyPlace => (out === undefined ? keyPlace(platform, located.scope, name) : placeAt(terminal.absolute(out)))

/** By the key that is to be replaced, whether `sudo` was said or not. */
function ownToken(terminal: Terminal, client: ZoneClient): Promise<string | undefined> {
  if (terminal.sudo !== undefined) return Promise.resolve(undefined)
  return openSudo({}, {
    terminal, platform: client.platform, scope: client.located.scope, user: () => client.user(),
    epoch: async () => (await client.boot()).epoch,
  }).token('system-config')
}

function explained(error: unknown, name: string): unknown {
  if (error instanceof KeyExists) {
    return new KeyExists(`${name} has a key already`, {
      ...error.details, next: 'They replace it by their own: users key; for one that is lost add --replace',
    })
  }
  if (error instanceof KeyNotFound) {
    return new KeyNotFound(`${name} has no key to replace`, {
      ...error.details, next: 'The first one is made by the owner key, without --replace',
    })
  }
  return error
}
