import { InvalidArgument, Overloaded } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import type { Keys, Random, SlowHashCost } from '../../runtime/platform/ports.ts'
import type { Client } from '../../runtime/protocol.ts'
import { fromBase64url, toBase64url } from '../../runtime/trust/base64url.ts'
import { isName } from '../records.ts'
import { SecretNotFound, SecretVersionMismatch, type Vault } from '../vault/protocol.ts'
import { compatVerifier, wireMatches } from './compat.ts'
import { passwordFault, readablePassword } from './password-text.ts'
import { InvalidPassword } from './protocol.ts'

type VaultClient = Client<typeof Vault>

/** What the vault keeps under `verify-hub/passwords/{user}`: nobody can log in with it, but for `compat`. */
interface Verifier {
  readonly scheme: 'scrypt'
  readonly salt: string
  readonly hash: string
  /** What the hash was made with; absent in those from before there was a choice. */
  readonly cost?: SlowHashCost
  /** A first password that nobody has used yet may be issued again. */
  readonly first: boolean
  /** As good as the password: only for a user whose settings ask for it. */
  readonly compat?: string
  /** Of a user who is gone: no password has this hash. */
  readonly forgotten?: true
}

/**
 * RFC 7914, the figures that OWASP gives for 32 MiB. Scrypt, not argon2id: `node:crypto` of both runtimes has it, and
 * works it out beside the thread that signs tokens, while an argon2 in WebAssembly would stop that thread.
 */
export const SLOW_HASH_COST: SlowHashCost = { logN: 15, r: 8, p: 3 }
const OLDEST_COST: SlowHashCost = { logN: 15, r: 8, p: 1 }

export interface Attempt {
  readonly username: string
  readonly password: string
  /** Of a user whose settings let the originals' clients in: what they hashed the password with, in milliseconds. */
  readonly compat?: { readonly nonce: number } | undefined
}

/** A password that was right. */
export interface Checked {
  /** In which form it came. */
  readonly form: 'plain' | 'hashed'
  /** What stands in the vault for it. */
  readonly hash: string
}

export interface Passwords {
  /** Costs one slow hash, whoever is asked for. @throws InvalidPassword */
  check(vault: VaultClient, attempt: Attempt): Promise<Checked>
  /** Whether that still stands there. */
  isStill(vault: VaultClient, username: string, checked: Checked): Promise<boolean>
  /** A new first password, until one was used: then undefined. */
  issueFirst(vault: VaultClient, username: string): Promise<string | undefined>
  /** @throws InvalidArgument when it is none that may be set */
  set(vault: VaultClient, username: string, password: string, options: { readonly compat: boolean }): Promise<void>
  /** The user's settings no longer ask for it. */
  forgetCompat(vault: VaultClient, username: string): Promise<void>
  /** The user is gone: whoever has the name next does not have the password. */
  forget(vault: VaultClient, username: string): Promise<void>
}

const SALT_BYTES = 16
const HASH_BYTES = 32
const utf8 = new TextEncoder()
const pathOf = (username: string): string => `verify-hub/passwords/${username}`
const wrong = (): Error => new InvalidPassword('The user name or the password is wrong')
const isCurrent = ({ cost = OLDEST_COST }: Verifier): boolean =>
  cost.logN === SLOW_HASH_COST.logN && cost.r === SLOW_HASH_COST.r && cost.p === SLOW_HASH_COST.p

export function createPasswords({ keys, random }: { keys: Keys; random: Random }): Passwords {
  // Stands in for the salt and hash of users who do not exist, so that they cost what others do
  const anything = (length: number): string => toBase64url(random.bytes(length))
  const nobody: Verifier = {
    scheme: 'scrypt', salt: anything(SALT_BYTES), hash: anything(HASH_BYTES), cost: SLOW_HASH_COST, first: false,
    compat: anything(HASH_BYTES),
  }

  const hashOf = (password: string, { salt, cost = OLDEST_COST }: Verifier): Promise<Uint8Array> =>
    keys.slowHash(utf8.encode(password), fromBase64url(salt)!, cost)

  const verifierOf = async (password: string, first: boolean): Promise<Verifier> => {
    const salt = random.bytes(SALT_BYTES)
    const hash = await keys.slowHash(utf8.encode(password), salt, SLOW_HASH_COST)
    return { scheme: 'scrypt', salt: toBase64url(salt), hash: toBase64url(hash), cost: SLOW_HASH_COST, first }
  }

  return {
    async check(vault, { username, password, compat }) {
      if (utf8.encode(password).length > limits.passwordBytes) throw wrong()
      const stored = isName(username) ? await read(vault, username) : undefined
      const verifier = stored?.verifier ?? nobody
      const plain = keys.equal(await hashOf(password, verifier), fromBase64url(verifier.hash)!)
      const hashed = wireMatches(keys, verifier.compat ?? nobody.compat!, password, compat?.nonce ?? 0)
      if (!stored) throw wrong()
      if (compat && hashed && verifier.compat !== undefined) return { form: 'hashed', hash: verifier.hash }
      if (!plain) throw wrong()
      return { form: 'plain', hash: await used(vault, stored, { username, password, compat: compat !== undefined }) }
    },
    isStill: async (vault, username, { hash }) => (await read(vault, username))?.verifier.hash === hash,
    async issueFirst(vault, username) {
      for (let attempt = 0; attempt < limits.storeRaces; attempt++) {
        const stored = await read(vault, username)
        if (stored && !stored.verifier.first) return undefined
        const password = readablePassword(random)
        const verifier = await verifierOf(password, true)
        if (await write(vault, username, verifier, stored?.version ?? 0)) return password
      }
      throw new Overloaded(`Others kept writing the first password: ${username}`)
    },
    async set(vault, username, password, { compat }) {
      const fault = passwordFault(username, password)
      if (fault !== undefined) throw new InvalidArgument(`password: ${fault}`)
      const verifier = withCompat(keys, await verifierOf(password, false), username, password, compat)
      for (let attempt = 0; attempt < limits.storeRaces; attempt++) {
        if (await write(vault, username, verifier, (await read(vault, username))?.version ?? 0)) return
      }
      throw new Overloaded(`Others kept writing the password: ${username}`)
    },
    async forget(vault, username) {
      for (let attempt = 0; attempt < limits.storeRaces; attempt++) {
        const stored = await read(vault, username)
        if (!stored || stored.verifier.forgotten) return
        const { compat: _, ...none } = nobody
        const verifier: Verifier = { ...none, salt: anything(SALT_BYTES), hash: anything(HASH_BYTES), forgotten: true }
        if (await write(vault, username, verifier, stored.version)) return
      }
      throw new Overloaded(`Others kept writing the password: ${username}`)
    },
    async forgetCompat(vault, username) {
      for (let attempt = 0; attempt < limits.storeRaces; attempt++) {
        const stored = await read(vault, username)
        if (stored?.verifier.compat === undefined) return
        const { compat: _, ...verifier } = stored.verifier
        if (await write(vault, username, verifier, stored.version)) return
      }
      throw new Overloaded(`Others kept writing the password: ${username}`)
    },
  }

  /**
   * What a right password changes: a first one is not issued again, a hash that cost too little is made anew, and what
   * the originals' clients need is made or removed as the user's settings say. Returns the hash that stands there then.
   */
  async function used(
    vault: VaultClient, stored: Stored, { username, password, compat }: Login,
  ): Promise<string> {
    const { verifier } = stored
    const isSame = isCurrent(verifier) && compat === (verifier.compat !== undefined)
    if (isSame && !verifier.first) return verifier.hash
    const base = isCurrent(verifier) ? verifier : await verifierOf(password, false)
    const next = withCompat(keys, { ...base, first: false }, username, password, compat)
    if (await write(vault, username, next, stored.version)) return next.hash
    // Somebody wrote it since. If that was another login, all is well; if it is another password, this one is wrong
    const now = (await read(vault, username))?.verifier
    if (now?.hash === verifier.hash) return now.hash
    if (!now || !keys.equal(await hashOf(password, now), fromBase64url(now.hash)!)) throw wrong()
    return now.hash
  }
}

interface Login {
  readonly username: string
  readonly password: string
  readonly compat: boolean
}

function withCompat(keys: Keys, verifier: Verifier, username: string, password: string, compat: boolean): Verifier {
  const { compat: _, ...others } = verifier
  return compat ? { ...others, compat: compatVerifier(keys, username, password) } : others
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

/** False when somebody else wrote it first. Nothing of what it was before is kept. */
async function write(vault: VaultClient, username: string, verifier: Verifier, cas: number): Promise<boolean> {
  try {
    await vault.putSecret({ path: pathOf(username), value: JSON.stringify(verifier), cas, only: true })
    return true
  } catch (error) {
    if (error instanceof SecretVersionMismatch) return false
    throw error
  }
}
