import { InvalidArgument, LimitExceeded, Overloaded } from '../../../runtime/errors.ts'
import { limits } from '../../../runtime/limits.ts'
import { record, string, unknown } from '../../../runtime/protocol.ts'
import type { Barrier } from '../barrier.ts'
import { readJson } from '../json.ts'
import { damaged } from '../record.ts'
import { builtInRoles } from './built-in.ts'
import { readRole, type ReadRole, type Role } from './role.ts'
import { notInVault } from './refused.ts'
import type { RoleInUse } from './wish.ts'

const PREFIX = 'roles/'
const ROLE_NAME = /^[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,62}[A-Za-z0-9])?$/
const rolePath = (name: string): string => PREFIX + name

export interface Roles {
  /** @throws NotInVault, VaultDamaged */
  read(name: string): Promise<RoleInUse>
  list(): Promise<readonly string[]>
  /** In place of what was there; or, to `change` it, over that. @throws InvalidArgument, LimitExceeded, NotInVault */
  write(name: string, data: Readonly<Record<string, unknown>>, change?: boolean): Promise<ReadRole>
  remove(name: string): Promise<void>
}

export function openRoles(mount: string, barrier: Barrier): Roles {
  const builtIn = builtInRoles[mount] ?? {}
  const own = (name: string): boolean => Object.hasOwn(builtIn, name)
  /** By revision: a role is read for every certificate, and seldom written. */
  const known = new Map<string, { readonly revision: number; readonly role: Role }>()
  const stored = async (name: string): Promise<Role | undefined> => {
    const path = rolePath(name)
    if (!ROLE_NAME.test(name)) return undefined
    const found = await barrier.readBytes(path)
    if (found === undefined) return undefined
    const before = known.get(name)
    if (before?.revision === found.revision) return before.role
    const role = parseRole(path, found.value)
    if (known.size >= limits.vaultRoles) known.clear()
    known.set(name, { revision: found.revision, role })
    return role
  }
  const assertWritable = (name: string): void => {
    if (own(name)) throw new InvalidArgument(`This role is the zone's own, and nobody changes it: ${name}`)
    if (!ROLE_NAME.test(name)) {
      throw new InvalidArgument('A role has a name of letters, digits, dot, underscore and hyphen')
    }
  }
  return {
    async read(name) {
      if (own(name)) return { name, role: builtIn[name]!.role, builtIn: builtIn[name]! }
      const role = await stored(name)
      if (role === undefined) throw notInVault('role', name.slice(0, 64))
      return { name, role }
    },
    async list() {
      const { paths } = await barrier.list(PREFIX, { limit: limits.vaultRoles })
      return [...Object.keys(builtIn), ...paths.map((path) => path.slice(PREFIX.length))].sort()
    },
    async write(name, data, change = false) {
      assertWritable(name)
      for (let attempt = 0; attempt < limits.vaultTransactionAttempts; attempt++) {
        const found = await barrier.readBytes(rolePath(name))
        if (change && found === undefined) throw notInVault('role', name)
        const read = readRole(data, change ? parseRole(rolePath(name), found!.value) : undefined)
        if (found === undefined) {
          const { paths } = await barrier.list(PREFIX, { limit: limits.vaultRoles })
          if (paths.length >= limits.vaultRoles) {
            throw new LimitExceeded(`A mount has at most ${limits.vaultRoles} roles: remove one`)
          }
        }
        const guard = { key: rolePath(name), modRevision: found?.revision ?? 0 }
        if (await barrier.commit([guard], [{ path: rolePath(name), value: read.role }])) return read
      }
      throw new Overloaded(`Too many writers of one role; attempts: ${limits.vaultTransactionAttempts}`)
    },
    async remove(name) {
      assertWritable(name)
      await barrier.commit([], [{ path: rolePath(name), value: undefined }])
    },
  }
}

/** @throws VaultDamaged */
function parseRole(path: string, bytes: Uint8Array): Role {
  const data = readJson(record(string(), unknown()), path, bytes)
  try {
    return readRole(data).role
  } catch {
    throw damaged(path, 'it is no role that this version of the vault writes')
  }
}
