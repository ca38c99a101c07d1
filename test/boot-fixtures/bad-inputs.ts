import { cp, mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { cut, edit, editLog, editRecord, flip, kvText, put, remove, type Spoil, takeFrom } from './folders.ts'

/** One thing that can be wrong, and what a person is told of it. */
export interface BadInput {
  readonly name: string
  readonly spoil: Spoil
  readonly code: string
  readonly exit: number
  /** What is wrong, and where. */
  readonly message: RegExp
  /** What to do. */
  readonly next: RegExp
  /** All that has to run for it to be seen; without it the whole catalogue. */
  readonly actors?: readonly string[]
}

const VAULT = ['vault']
const KERNEL = ['vault', 'system-config']

const yaml = (
  name: string,
  text: string | Uint8Array,
  message: RegExp,
  next: RegExp = /Keys are zone, host, owner/,
): BadInput => (
  { name: `zone.yaml ${name}`, spoil: put('zone.yaml', text), code: 'ConfigInvalid', exit: 3, message, next }
)

/** In a folder with nothing else in it. */
export const configs: readonly BadInput[] = [
  yaml('that is no YAML', 'zone: [a', /zone\.yaml:1: /, /YAML/),
  yaml('with an unknown key', 'zone: a.b\nhots: x\n', /zone\.yaml:2: unknown key: hots/),
  yaml('with an unknown key inside', 'http:\n  port: 1\n  prot: 2\n', /zone\.yaml:3: unknown key: http\.prot/),
  yaml('with one key twice', 'zone: a\nhost: b\nzone: c\n', /zone\.yaml:3: duplicate key: zone/, /Keep one/),
  yaml('indented by a tab', 'http:\n\tport: 1\n', /zone\.yaml:2: a tab/, /spaces/),
  yaml(
    'with text for a port',
    'http:\n  port: eighty\n',
    /zone\.yaml:2: http\.port: expected a whole number.*"eighty"/,
  ),
  yaml('with a port that there is not', 'http: { port: 70000 }\n', /http\.port: expected .*65535, found 70000/),
  yaml('with a list', '- zone: a\n', /zone\.yaml:1: .*mapping/),
  yaml('with a name that is none', 'zone: My.Zone\n', /zone\.yaml:1: zone: expected a DNS name .*"My\.Zone"/),
  yaml('with a key and no value', 'owner:\n', /zone\.yaml:1: owner: expected a name .*nothing/),
  yaml('with two documents', 'zone: a\n---\nzone: b\n', /zone\.yaml:2: a second document/, /Keep one/),
  yaml('of bytes that are no text', new Uint8Array([0xff, 0xfe, 0x00, 0x07, 0x80, 0x3a]), /zone\.yaml:1: /, /./),
]

/** In a folder where a zone has booted; `other` is the folder of another zone of the same name. */
export const folders = (other: () => string): readonly BadInput[] => [
  ...(['zone', 'host', 'owner'] as const).map((key): BadInput => ({
    name: `zone.yaml of another ${key}`,
    spoil: put('zone.yaml', `${key}: elsewhere\n`),
    code: 'FolderOfAnotherZone',
    exit: 6,
    message: new RegExp(`belongs to ${key} .*, but ${key} elsewhere`),
    next: new RegExp(`another --dir, or say ${key}:`),
  })),
  ...([
    ['cut', edit('identity.json', cut(0.5)), /identity file/],
    ['empty', put('identity.json', ''), /identity file/],
    ['with a signature changed', edit('identity.json', flip(0.45)), /(document does not verify|identity file)/],
    ['of another shape', put('identity.json', '[1]'), /identity file/],
    ['gone', remove('identity.json'), /no identity\.json/],
  ] as const).map(([how, spoil, message]): BadInput => ({
    name: `identity.json ${how}`,
    spoil,
    code: 'FolderDamaged',
    exit: 7,
    message,
    next: /Restore identity\.json/,
  })),
  {
    name: 'identity.json of another zone',
    spoil: takeFrom(other, 'identity.json'),
    code: 'DeviceKeyMismatch',
    exit: 8,
    message: /device\.key: it is not the key of this host/,
    next: /Restore the key/,
  },
  {
    name: 'device.key gone',
    spoil: remove('device.key'),
    code: 'DeviceKeyMissing',
    exit: 8,
    message: /device key is missing: .*device\.key/,
    next: /Restore it from a backup/,
  },
  ...([
    ['empty', put('device.key', ''), /not a private key/],
    ['of noise', put('device.key', new Uint8Array(200).fill(7)), /not a private key/],
    ['cut', edit('device.key', cut(0.6)), /not a private key/],
    ['of another host', takeFrom(other, 'device.key'), /not the key of this host/],
  ] as const).map(([how, spoil, message]): BadInput => ({
    name: `device.key ${how}`,
    spoil,
    code: 'DeviceKeyMismatch',
    exit: 8,
    message,
    next: /Restore the key/,
  })),
  ...([
    [
      'that is no marker',
      put('booted.json', '{"zone":'),
      'FolderDamaged',
      7,
      /booted\.json: it is not a booted marker/,
    ],
    [
      'of another zone',
      put('booted.json', '{"zone":"b.c","store":"x","revision":1}\n'),
      'FolderOfAnotherZone',
      6,
      /belongs to zone b\.c, not zone\.local/,
    ],
  ] as const).map(([how, spoil, code, exit, message]): BadInput => ({
    name: `booted.json ${how}`,
    spoil,
    code,
    exit,
    message,
    next: /Restore/,
  })),
]

/** As `folders`, but it takes a running vault or store to see it. */
export const stores = (other: () => string): readonly BadInput[] => [
  ...([
    ['gone', remove('unseal.key'), /no unseal key/],
    ['of another vault', takeFrom(other, 'unseal.key'), /not the one of this vault/],
    ['cut', edit('unseal.key', cut(0.5)), /unseal key/],
    ['of noise', put('unseal.key', '!?\n'), /not base64url/],
  ] as const).map(([how, spoil, message]): BadInput => ({
    name: `unseal.key ${how}`,
    spoil,
    code: 'VaultSealed',
    exit: 10,
    message,
    next: /unseal\.key/,
    actors: VAULT,
  })),
  ...([
    ['vault', 'with a byte changed', flip(0.05), VAULT],
    ['system-config', 'with a byte changed', flip(0.5), KERNEL],
    ['system-config', 'cut to nothing', cut(0), KERNEL],
    ['verify-hub', 'of noise', (bytes: Uint8Array) => bytes.fill(0x41), undefined],
  ] as const).map(([store, how, change, actors]): BadInput => ({
    name: `the log of ${store} ${how}`,
    spoil: editLog(store, change),
    code: 'StoreDamaged',
    exit: 7,
    message: new RegExp(`${store} did not start: The store is damaged.*stores/${store} \\(log\\.\\d+, byte \\d+\\)`),
    next: /backup/,
    ...(actors ? { actors } : {}),
  })),
  ...([
    ['keyring', 'core/keyring', flip(0.5), VAULT],
    ['root key', 'core/unseal/auto', flip(0.9), VAULT],
    ['seal', 'core/seal-config', () => undefined, VAULT],
    ['key of verify-hub', 'keys/verify-hub', flip(0.5), undefined],
  ] as const).map(([what, path, change, actors]): BadInput => ({
    name: `the vault's ${what} changed`,
    spoil: editRecord('vault', path, change),
    code: 'VaultDamaged',
    exit: 7,
    message: new RegExp(`vault entry is damaged.*: ${path}`),
    next: /backup/,
    ...(actors ? { actors } : {}),
  })),
  {
    name: 'boot/config that cannot be read',
    spoil: editRecord('system-config', 'kv/boot/config', kvText('{"zone":"zone.local"')),
    code: 'RecordInvalid',
    exit: 7,
    message: /system-config did not start: .*boot\/config/,
    next: /backup/,
    actors: KERNEL,
  },
  ...([
    [
      'boot/config of another zone',
      editRecord('system-config', 'kv/boot/config', renameZone),
      /store is of another zone: b\.c/,
      KERNEL,
    ],
    [
      'boot/config gone',
      editRecord('system-config', 'kv/boot/config', () => undefined),
      /its store has no boot\/config/,
      KERNEL,
    ],
    [
      'the log of system-config cut before its first write',
      editLog('system-config', cut(0.3)),
      /its store has no boot\/config/,
      KERNEL,
    ],
    ['the store of system-config gone', remove('stores/system-config'), /its store has no boot\/config/, KERNEL],
    ['the store of the vault gone', remove('stores/vault'), /has booted a zone, but its vault is empty/, VAULT],
    ['all stores gone', remove('stores'), /has booted a zone, but its vault is empty/, VAULT],
  ] as const).map(([name, spoil, message, actors]): BadInput => ({
    name,
    spoil,
    code: 'ZoneStoreMismatch',
    exit: 9,
    message,
    next: /Restore/,
    actors,
  })),
  {
    name: 'the store of system-config of another zone of this name',
    spoil: takeFrom(other, 'stores/system-config'),
    code: 'ZoneStoreMismatch',
    exit: 9,
    message: /system-config did not start: The store is of a zone of this name that has another owner key/,
    next: /Restore/,
    actors: KERNEL,
  },
]

const renameZone = (bytes: Uint8Array): Uint8Array =>
  kvText(new TextDecoder().decode(bytes.subarray(1)).replace('zone.local', 'b.c'))()

const all = (...spoils: readonly Spoil[]): Spoil => async (folder) => {
  for (const spoil of spoils) await spoil(folder)
}

/** Not bad enough to refuse the boot. */
export const harmless: readonly { readonly name: string; readonly spoil: Spoil }[] = [
  {
    name: 'the owner key and the recovery shares are kept elsewhere, and zone.yaml says what the folder says',
    spoil: all(
      remove('owner.key', 'recovery-shares'),
      put('zone.yaml', 'zone: zone.local\nhost: ood1\nowner: owner\n'),
    ),
  },
  {
    name: 'the sessions are gone, a lock of a dead process is there, and zone.yaml is empty',
    spoil: all(remove('stores/verify-hub'), put('lock', '{"pid":999999,"started":"1"}'), put('zone.yaml', '')),
  },
  {
    name: 'the booted marker is gone, but not the store, and there is a lock that nobody can read',
    spoil: all(remove('booted.json'), put('lock', 'x')),
  },
]

/** A folder that cannot be a zone's. */
export const unwritable: readonly { readonly name: string; readonly at: (folder: string) => Promise<string> }[] = [
  {
    name: 'below a file',
    async at(folder) {
      await mkdir(folder)
      await writeFile(join(folder, 'file'), 'x')
      return join(folder, 'file', 'zone')
    },
  },
  {
    name: 'a file itself',
    async at(folder) {
      await mkdir(folder)
      await writeFile(join(folder, 'file'), 'x')
      return join(folder, 'file')
    },
  },
  { name: 'where nobody can write', at: async () => '/proc/zonewright' },
]

export async function copyOf(folder: string, to: string, spoil: Spoil): Promise<string> {
  await cp(folder, to, { recursive: true })
  await spoil(to)
  return to
}

export const removeFolder = (folder: string): Promise<void> => rm(folder, { recursive: true, force: true })
