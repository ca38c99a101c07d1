import { Overloaded } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import type { Keys, Random } from '../../runtime/platform/ports.ts'
import type { Client } from '../../runtime/protocol.ts'
import { fromBase64url, toBase64url } from '../../runtime/trust/base64url.ts'
import { isName } from '../records.ts'
import { SecretNotFound, SecretVersionMismatch, type Vault } from '../vault/protocol.ts'
import { InvalidPassword } from './protocol.ts'

type VaultClient = Client<typeof Vault>

/** What the vault keeps under `verify-hub/passwords/{user}`: nobody can log in with it. */
interface Verifier {
  readonly scheme: 'scrypt'
  readonly salt: string
  readonly hash: string
  /** A first password that nobody has used yet may be issued again. */
  readonly first: boolean
}

export interface Passwords {
  /** Costs one slow hash, whoever is asked for. @throws InvalidPassword */
  check(vault: VaultClient, username: string, password: string): Promise<void>
  /** A new first password, until one was used: then undefined. */
  issueFirst(vault: VaultClient, username: string): Promise<string | undefined>
}

const SALT_BYTES = 16
const utf8 = new TextEncoder()
const pathOf = (username: string): string => `verify-hub/passwords/${username}`

export function createPasswords({ keys, random }: { keys: Keys; random: Random }): Passwords {
  // Stands in for the salt and hash of users who do not exist, so that they cost what others do
  const anything = (length: number): string => toBase64url(random.bytes(length))
  const nobody: Verifier = { scheme: 'scrypt', salt: anything(SALT_BYTES), hash: anything(32), first: false }

  const verifierOf = async (password: string, first: boolean): Promise<Verifier> => {
    const salt = random.bytes(SALT_BYTES)
    const hash = await keys.slowHash(utf8.encode(password), salt)
    return { scheme: 'scrypt', salt: toBase64url(salt), hash: toBase64url(hash), first }
  }

  return {
    async check(vault, username, password) {
      const bytes = utf8.encode(password)
      if (bytes.length > limits.passwordBytes) throw new InvalidPassword('The user name or the password is wrong')
      const stored = isName(username) ? await read(vault, username) : undefined
      const { salt, hash } = stored?.verifier ?? nobody
      const offered = await keys.slowHash(bytes, fromBase64url(salt)!)
      const matches = keys.equal(offered, fromBase64url(hash)!)
      if (!matches || !stored) throw new InvalidPassword('The user name or the password is wrong')
      if (stored.verifier.first) await markUsed(vault, username, stored)
    },
    async issueFirst(vault, username) {
      for (let attempt = 0; attempt < limits.storeRaces; attempt++) {
        const stored = await read(vault, username)
        if (stored && !stored.verifier.first) return undefined
        const password = readable(random)
        const verifier = await verifierOf(password, true)
        if (await write(vault, username, verifier, stored?.version ?? 0)) return password
      }
      throw new Overloaded(`Others kept writing the first password: ${username}`)
    },
  }
}

interface Stored { readonly verifier: Verifier; readonly version: number }

async function read(vault: VaultClient, username: string): Promise<Stored | undefined> {
  try {
    const { value, version } = await vault.getSecret({ path: pathOf(username) })
    return { verifier: JSON.parse(value) as Verifier, version }
  } catch (error) {
    if (error instanceof SecretNotFound) return undefined
    throw error
  }
}

/** False when somebody else wrote it first. */
async function write(vault: VaultClient, username: string, verifier: Verifier, cas: number): Promise<boolean> {
  try {
    await vault.putSecret({ path: pathOf(username), value: JSON.stringify(verifier), cas })
    return true
  } catch (error) {
    if (error instanceof SecretVersionMismatch) return false
    throw error
  }
}

/** From now on it is not issued again. If an issue came first, this password is wrong; if a login did, all is well. */
async function markUsed(vault: VaultClient, username: string, stored: Stored): Promise<void> {
  if (await write(vault, username, { ...stored.verifier, first: false }, stored.version)) return
  const now = await read(vault, username)
  if (now?.verifier.hash !== stored.verifier.hash) throw new InvalidPassword('The user name or the password is wrong')
}

/** Characters that are not taken for one another when read aloud or copied by hand. */
const ALPHABET = 'abcdefghjkmnpqrstuvwxyz23456789'
const GROUPS = 5
const GROUP_LENGTH = 5

/** 25 characters in groups: 123 bits. */
function readable(random: Random): string {
  const characters: string[] = []
  while (characters.length < GROUPS * GROUP_LENGTH) {
    for (const byte of random.bytes(32)) {
      // Bytes beyond the last full alphabet would make its first letters likelier
      if (byte < ALPHABET.length * 8) characters.push(ALPHABET[byte % ALPHABET.length]!)
    }
  }
  return Array.from({ length: GROUPS }, (_, group) =>
    characters.slice(group * GROUP_LENGTH, (group + 1) * GROUP_LENGTH).join('')).join('-')
}
