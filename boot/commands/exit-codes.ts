import { Command } from 'commander'
import { exitCodes } from '../errors.ts'
import { pairs } from '../render.ts'
import type { Terminal } from '../terminal.ts'

/** One sentence for each number; the errors that end with it are read from `exitCodes`. */
const meanings: Readonly<Record<number, string>> = {
  0: 'It did what was asked',
  1: 'An error that has no code of its own',
  2: 'The command line cannot be read',
  3: 'zone.yaml, or the file of --config, is not valid',
  4: 'The folder cannot be written, or the disk is full',
  5: 'Another process uses the folder',
  6: 'The folder belongs to another zone, host or owner',
  7: 'The folder, a store or the vault is damaged',
  8: 'The device key is missing, or is not the one of this host',
  9: 'This host has booted before, but the store is empty',
  10: 'The vault is sealed, and its key does not open it',
  11: 'An actor does not start, or keeps failing',
  12: 'The HTTP port is taken',
  13: 'The self-check failed: an attack got in, or an allowed call was refused',
  14: 'Something was denied',
  15: 'The owner key is needed, and its passphrase is missing or wrong',
  16: 'Something took longer than it may',
  17: 'No zone runs there, or it does not answer',
  18: 'Nobody is logged in, or the session has ended',
  19: 'The user name or the password is wrong',
  20: 'There is no such key, host, actor, service or denial',
  21: 'Somebody else was faster, or it exists already',
  22: 'The zone is not healthy (`status`)',
  23: 'The service does not serve, or not yet',
  24: 'The zone cannot answer now; whether it did what was asked may not be known',
  25: 'The zone refuses the value as it is',
  26: 'The backup is damaged, cut short or changed',
  27: 'The backup is encrypted, and its passphrase is missing or wrong',
  28: 'The backup was made by a newer version',
  29: 'A restore needs an empty or a missing folder',
  30: 'A restore into this folder was not finished',
  31: 'boot/config and the zone document are of different epochs',
  32: 'A simulated run broke an invariant, or two runs of one seed differ',
  33: 'Too many wrong passwords: the login is locked for a while',
  34: 'The key that sudo signs with is missing, open to others, or its passphrase is missing or wrong',
  35: 'Tokens by the key that is to be retired may still be good',
  40: 'The config names etcd, and there are no certificates for it (`gen pems`)',
  41: 'No member of etcd answers, or they have no leader',
  42: 'etcd has a certificate of another authority, or for other names',
  43: 'etcd did not take the certificate of this host',
  44: 'A certificate for etcd has ended (`recover etcd`)',
  45: 'The stores lie in etcd, which the config does not name',
  36: 'The audit of the vault was changed, or some of it is missing',
  50: 'A certificate ends before long (`certs --check`)',
  55: 'The host that is drained still runs something: it has nowhere to go, or not yet',
  60: 'No control plane is reached at the address, or what listens there speaks no TLS',
  61: 'The control plane shows a certificate of another authority',
  62: 'The control plane shows a certificate for another name',
  63: 'The certificate of the control plane has ended, or has not begun',
  64: 'The clock of this machine is too far off',
  65: 'The join token is not known to the zone',
  66: 'The join token has expired',
  67: 'The join token, or what it gave, was revoked',
  68: 'The join token was used',
  69: 'The join token is for another host or address, or the device could not prove itself',
  70: 'The request for a certificate was refused',
  71: 'The folder is of no host that has joined, or of no zone that has booted',
  46: 'What is in etcd under the prefix is another zone\'s: nothing of it was changed',
  47: 'A store was used here and in etcd, so that each has what the other has not',
  48: 'Another one moves the stores, or has not finished',
  49: 'What etcd gives back is not what was copied: the stores stay where they are',
  130: 'Interrupted before it was done',
}

/** What a command says of it. @throws Error for one that has no meaning */
export function meaningOf(exitCode: number): string {
  const meaning = meanings[exitCode]
  if (meaning === undefined) throw new Error(`No such exit code: ${exitCode}`)
  return meaning
}

export const exitCodeTable = (): readonly (readonly [number, string, readonly string[]])[] => Object.entries(meanings)
  .map(([number, meaning]) => [Number(number), meaning, namesOf(Number(number))])

const namesOf = (exitCode: number): readonly string[] =>
  Object.entries(exitCodes).filter(([, number]) => number === exitCode).map(([name]) => name)

function text(): string {
  const lines = pairs(exitCodeTable().map(([number, meaning, names]) =>
    [String(number).padStart(3), names.length === 0 ? meaning : `${meaning} (${names.join(', ')})`]))
  return ['Exit codes:', ...lines, ''].join('\n')
}

/** A page of the help: `zonewright help exit-codes`. */
export function exitCodesCommand(terminal: Terminal): Command {
  const command = new Command('exit-codes').description('What each exit code means')
  command.helpInformation = text
  return command.action(() => terminal.out(text().trimEnd()))
}
