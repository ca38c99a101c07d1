import { limits } from '../../../../runtime/limits.ts'
import { object, string } from '../../../../runtime/protocol.ts'
import type { Barrier } from '../../barrier.ts'
import { badRequest } from '../answer.ts'
import { createAcl, rootAcl, type Acl } from './acl.ts'
import { readPolicy, type PathRule } from './policy.ts'

/** What every token may do unless it was made without it. */
export const defaultPolicy = `# A token may look at itself, keep itself alive, and end itself
path "auth/token/lookup-self" {
  capabilities = ["read"]
}
path "auth/token/renew-self" {
  capabilities = ["update"]
}
path "auth/token/revoke-self" {
  capabilities = ["update"]
}
# And ask what it may do
path "sys/capabilities-self" {
  capabilities = ["update"]
}
`

const Policy = object({ text: string() })
const FOLDER = 'sys/policy/'
const NAME = /^[a-z0-9][a-z0-9._-]{0,127}$/

export interface Policies {
  names(): Promise<readonly string[]>
  /** Undefined when there is none. */
  text(name: string): Promise<string | undefined>
  /** @throws Fault 400 */
  write(name: string, text: string): Promise<void>
  remove(name: string): Promise<void>
  /** Of all of them together; one that is gone gives nothing. */
  aclOf(names: readonly string[]): Promise<Acl>
}

/** Names count in any case. */
export const policyName = (name: string): string => name.toLowerCase()

export function createPolicies(barrier: Barrier): Policies {
  /** By their texts: what was read once is read again only when it has changed. */
  const parsed = new Map<string, readonly PathRule[]>()
  const compiled = new Map<string, Acl>()
  const rulesOf = (text: string): readonly PathRule[] => {
    const found = parsed.get(text) ?? readPolicy(text)
    return kept(parsed, text, found)
  }
  const text = async (name: string): Promise<string | undefined> => {
    if (name === 'root') return ''
    const found = NAME.test(name) ? await barrier.read(FOLDER + name, Policy) : undefined
    return found?.value.text ?? (name === 'default' ? defaultPolicy : undefined)
  }
  return {
    async names() {
      const { paths } = await barrier.list(FOLDER, { limit: limits.vaultPolicies })
      return [...new Set(['default', ...paths.map((path) => path.slice(FOLDER.length)), 'root'])].sort()
    },
    text,
    async write(name, given) {
      if (name === 'root') throw badRequest('cannot update "root" policy')
      if (!NAME.test(name)) throw badRequest('a policy name has letters, digits, dots, underscores and hyphens')
      readPolicy(given)
      const { paths } = await barrier.list(FOLDER, { limit: limits.vaultPolicies })
      if (paths.length >= limits.vaultPolicies && !paths.includes(FOLDER + name)) {
        throw badRequest(`there are ${limits.vaultPolicies} policies, and may be no more`)
      }
      await barrier.commit([], [{ path: FOLDER + name, value: { text: given } }])
    },
    async remove(name) {
      if (name === 'root' || name === 'default') throw badRequest(`cannot delete "${name}" policy`)
      if (NAME.test(name)) await barrier.commit([], [{ path: FOLDER + name, value: undefined }])
    },
    async aclOf(names) {
      if (names.includes('root')) return rootAcl
      const texts = (await Promise.all(names.map(text))).filter((found) => found !== undefined)
      // No policy holds this character: the reader refuses it
      const key = texts.join('\0')
      return kept(compiled, key, compiled.get(key) ?? createAcl(texts.flatMap(rulesOf)))
    },
  }
}

/** The newest of so many. */
function kept<V>(map: Map<string, V>, key: string, value: V): V {
  map.delete(key)
  map.set(key, value)
  if (map.size > limits.vaultCompiledPolicies) for (const oldest of map.keys()) {
    map.delete(oldest)
    break
  }
  return value
}
