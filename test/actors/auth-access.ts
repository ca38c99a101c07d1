import { kv } from '../../actors/records.ts'
import type { Access, Speaker } from '../../actors/rbac/access.ts'
import { allowedBy, deniedBy } from '../../runtime/trust/denial.ts'

/** The lines of the built-in policy for `auth://`, for each role that the test's users have. */
const lines: readonly (readonly [role: string, resource: RegExp, operations: string])[] = [
  ['user', /^auth:\/\/sessions\/\{me\}$/, 'read|write'],
  ['user', /^auth:\/\/locks\/\{me\}$/, 'read'],
  ['admin', /^auth:\/\/(sessions|locks)\/.*$/, 'read|write'],
  ['su_admin', /^auth:\/\/passwords\/[^/]+$/, 'write'],
]

/** What `createAccess` of the policy decides, for the app console alone. */
export function authAccess(records: ReadonlyMap<string, string>): Access {
  const rolesOf = ({ sub, runtimeType, sudo }: Speaker): string[] => {
    if (runtimeType !== 'user') return []
    const { type } = JSON.parse(records.get(kv.user(sub)) ?? '{}') as { type?: string }
    const roles = type === 'admin' ? ['user', 'admin'] : ['user']
    return sudo && type === 'admin' ? [...roles, 'su_admin'] : roles
  }
  return {
    generation: 0,
    replace: () => {},
    decide(speaker, operation, path) {
      const roles = rolesOf(speaker)
      const mine = path.replace(new RegExp(`/${speaker.sub}$`), '/{me}')
      const line = lines.find(([role, resource, operations]) => speaker.appid === 'console' && roles.includes(role)
        && operations.includes(operation) && (resource.test(path) || resource.test(mine)))
      if (line) return { allowed: true, chain: [allowedBy('rbac', line.join())] }
      const detail = `${speaker.sub} ${operation} ${path}`
      return { allowed: false, chain: [deniedBy({ layer: 'rbac', reason: 'rbac/no-rule', rule: '-', detail })] }
    },
  } as Access
}
