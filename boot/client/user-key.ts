import { isName, kv, type UserDocument } from '../../actors/records.ts'
import { AlreadyExists, InvalidArgument, ZonewrightError } from '../../runtime/errors.ts'
import type { Files, Keys, Platform, SigningKey } from '../../runtime/platform/ports.ts'
import { exitCodes, SudoKeyNeeded, Usage } from '../errors.ts'
import type { Terminal } from '../terminal.ts'
import { openPrivate, stateFolder } from './session-file.ts'

/** A user's own key, which signs sudo tokens: where it lies, how it is read, and how another takes its place. */

export interface KeyPlace {
  readonly folder: string
  readonly name: string
}

export const pathOf = ({ folder, name }: KeyPlace): string => `${folder === '/' ? '' : folder}/${name}`

/** Beside the sessions, one folder a zone. @throws Usage */
export function keyPlace(platform: Pick<Platform, 'host'>, scope: string, user: string): KeyPlace {
  if (!isName(user)) throw new Usage(`It is not the name of a user: ${user}`)
  return { folder: `${stateFolder(platform)}/keys/${scope}`, name: `${user}.key` }
}

export function placeAt(path: string): KeyPlace {
  const at = path.lastIndexOf('/')
  return { folder: path.slice(0, at) || '/', name: path.slice(at + 1) }
}

/** What others of this machine may do with it. */
const OTHERS = 0o077

/**
 * The text of a key file that only its user may read. @throws SudoKeyNeeded
 */
export async function readKey(terminal: Terminal, path: string, { user, next }: { user: string; next: string }) {
  const text = await terminal.read(path).catch((error: Error & { code?: string }) => {
    const why = error.code === 'ENOENT' || error.code === 'ENOTDIR' ? 'is not there' : `cannot be read (${error.code})`
    throw new SudoKeyNeeded(`The key of ${user} that signs for sudo ${why}: ${path}`, { path, next })
  })
  if ((await terminal.mode(path) & OTHERS) !== 0) {
    throw new SudoKeyNeeded(`The key of ${user} is open to other users of this machine: ${path}`, {
      path, next: `chmod 600 ${path}; if somebody may have read it, make another`,
    })
  }
  return text
}

/** @throws SudoKeyNeeded */
export function openKey(keys: Keys, pem: string, path: string, passphrase?: string): SigningKey {
  try {
    return keys.importPem(pem, passphrase)
  } catch (error) {
    if (!(error instanceof InvalidArgument)) throw error
    const next = !isEncrypted(pem) ? 'Give the file that users key made'
      : passphrase === undefined ? 'Give its passphrase with --passphrase-file' : 'Check the passphrase'
    throw new SudoKeyNeeded(`The key cannot be read: ${path}: ${error.message}`, { path, next })
  }
}

export const isEncrypted = (pem: string): boolean => pem.includes('ENCRYPTED')

export interface NewKey {
  readonly document: UserDocument
  /** Where it will lie. */
  readonly path: string
  /** Runs what makes the zone know it, and puts it in its place. @throws what that throws */
  install<T>(announce: () => Promise<T>): Promise<T>
}

const encoder = new TextEncoder()

/**
 * Makes a key, and keeps it beside its place until the zone has taken it: whatever ends this in between, the key that
 * the zone knows is on the disk.
 * @throws Usage when a file of that name is there and is not to be replaced, NotWritable
 */
export async function makeKey(
  platform: Platform, place: KeyPlace,
  { user, passphrase, replaces }: { user: string; passphrase?: string; replaces: boolean },
): Promise<NewKey> {
  const { keys, random, clock } = platform
  const files = await folderOf(platform, place)
  const path = files.path(place.name)
  if (!replaces && await files.mode(place.name) !== undefined) {
    throw new Usage(`There is a file already: ${path}`, { path, next: 'Give another name with --out' })
  }
  const key = keys.generate(random.fork('user key'))
  const waiting = `${place.name}.new`
  await files.create(waiting, encoder.encode(key.exportPem(passphrase)), { mode: 0o600 }).catch((error: unknown) => {
    if (!(error instanceof AlreadyExists)) throw error
    const next = `Compare it with users show ${user}: rename it if the zone knows it, else remove it`
    throw new Usage(`A key is there that the zone may know: ${path}.new`, { path: `${path}.new`, next })
  })
  return {
    path,
    document: { name: user, key: key.public.jwk, iat: Math.floor(clock.now() / 1000) },
    async install(announce) {
      const done = await announce().catch(async (error: unknown) => {
        if (!mayHaveHappened(error)) await files.remove(waiting)
        throw error
      })
      await files.rename(waiting, place.name)
      return done
    },
  }
}

/** The default folder is ours to make; another is a person's. */
const folderOf = ({ host }: Platform, { folder }: KeyPlace): Promise<Files> =>
  (folder.startsWith(`${stateFolder({ host })}/`) ? openPrivate({ host }, folder) : host.openFolder(folder))

/** The answer was lost: the zone may know the key or not. */
const mayHaveHappened = (error: unknown): boolean => !(error instanceof ZonewrightError)
  || [exitCodes['Unavailable'], exitCodes['DeadlineExceeded']].includes(exitCodes[error.code])

export const documentChange = (action: 'create' | 'update', document: UserDocument) =>
  ({ [kv.userDocument(document.name)]: { action, value: JSON.stringify(document) } })
