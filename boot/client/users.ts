import { isName, kv, readRecord, UserDocument, UserSettings } from '../../actors/records.ts'
import { isReserved } from '../../actors/trust-matrix.ts'
import { Denied, NotFound } from '../../runtime/errors.ts'
import { array, boolean, object, string } from '../../runtime/protocol.ts'
import { Usage } from '../errors.ts'
import { getItem, shapeOf, type Item } from './kv.ts'
import type { ZoneClient } from './zone-client.ts'

export interface User {
  readonly settings: UserSettings
  /** Of the settings. */
  readonly revision: number
  /** Of the key that signs their sudo tokens; null: there is none, undefined: it is not shown to us. */
  readonly key: { readonly kid: string; readonly iat: number } | null | undefined
}

/** @throws Usage */
export function userName(text: string): string {
  if (isName(text)) return text
  throw new Usage(`It is not the name of a user: ${text}`, { next: 'Names are of a to z, 0 to 9, - and _' })
}

/** A name that somebody may have. @throws Usage */
export function newUserName(text: string): string {
  const name = userName(text)
  if (!isReserved(name)) return name
  throw new Usage(`Nobody may have this name: ${name}`, { next: 'root, su_… and names of the control plane are not' })
}

export const noSuchUser = (name: string): Error => new NotFound(`There is no such user: ${name}`, { name })

/** @throws NotFound */
export async function readUser(client: ZoneClient, name: string): Promise<User> {
  const [settings, key] = await Promise.all([getItem(client, kv.user(name)), readKeyOf(client, name)])
  if (!settings) throw noSuchUser(name)
  return {
    settings: readRecord(UserSettings, kv.user(name), settings.value), revision: settings.revision, key,
  }
}

async function readKeyOf(client: ZoneClient, name: string): Promise<User['key']> {
  const path = kv.userDocument(name)
  let item: Item | undefined
  try {
    item = await getItem(client, path)
  } catch (error) {
    if (error instanceof Denied) return undefined
    throw error
  }
  if (!item) return null
  const { key, iat } = readRecord(UserDocument, path, item.value)
  return { kid: client.platform.keys.importJwk(key).kid, iat }
}

const Page = object({ users: array(string()), more: boolean() })

async function userNames(client: ZoneClient): Promise<readonly string[]> {
  const names: string[] = []
  for (;;) {
    const after = names.at(-1)
    const answer = await client.call('verify-hub', 'list_users', after === undefined ? {} : { after })
    const { users, more } = shapeOf(Page, answer, 'a list of users')
    names.push(...users)
    if (!more || users.length === 0) return names
  }
}

const AT_ONCE = 16

/** Names below `users` that have settings. */
export async function readUsers(client: ZoneClient): Promise<readonly User[]> {
  const names = await userNames(client)
  const found: User[] = []
  for (let at = 0; at < names.length; at += AT_ONCE) {
    const some = await Promise.all(names.slice(at, at + AT_ONCE).map((name) =>
      readUser(client, name).catch((error: unknown) => {
        if (error instanceof NotFound) return undefined
        throw error
      })))
    found.push(...some.filter((user) => user !== undefined))
  }
  return found
}
