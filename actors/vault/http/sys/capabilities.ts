import { badRequest, twice, type Answer } from '../answer.ts'
import type { Fields } from '../fields.ts'
import type { Acl } from '../policies/acl.ts'
import type { Route } from '../route.ts'

function answered(acl: Acl, fields: Fields): Answer {
  const paths = fields.words('paths') ?? fields.words('path') ?? []
  if (paths.length === 0) throw badRequest('paths must be supplied')
  const found = paths.map((path) => [path, words(acl, path.replace(/^\//, ''))] as const)
  return twice({ ...Object.fromEntries(found), capabilities: found[0]![1] })
}

function words(acl: Acl, path: string): readonly string[] {
  if (acl.root) return ['root']
  const found = [...acl.capabilities(path)].sort()
  return found.length === 0 ? ['deny'] : found
}

export const capabilityRoutes: readonly Route[] = [
  { path: 'sys/capabilities-self', on: { update: ({ holder: { acl }, fields }) => answered(acl, fields) } },
  {
    path: 'sys/capabilities',
    on: {
      async update({ services: { tokens, policies }, fields }) {
        const found = await tokens.find(fields.needed('token'))
        if (!found) throw badRequest('invalid token')
        return answered(await policies.aclOf(found.record.policies), fields)
      },
    },
  },
  {
    path: 'sys/capabilities-accessor',
    on: {
      async update({ services: { tokens, policies }, fields }) {
        const found = await tokens.byAccessor(fields.needed('accessor'))
        if (!found) throw badRequest('invalid accessor')
        return answered(await policies.aclOf(found.record.policies), fields)
      },
    },
  },
]
