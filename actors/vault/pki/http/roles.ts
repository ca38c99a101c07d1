import type { EngineResponse } from '../../engine.ts'
import { notInVault } from '../refused.ts'
import { roleAnswer, type ReadRole } from '../role.ts'
import type { Call, Route } from './route.ts'

const written = ({ role, ignored }: ReadRole): EngineResponse => ({
  data: roleAnswer(role),
  ...(ignored.length === 0 ? {} : {
    warnings: [`Endpoint ignored these unrecognized parameters: [${ignored.join(' ')}]`],
  }),
})

export const roleRoutes: readonly Route[] = [
  {
    path: 'roles',
    on: {
      list: async ({ pki }) => {
        const keys = await pki.roles.list()
        if (keys.length === 0) throw notInVault('role', '(none)')
        return { data: { keys } }
      },
    },
  },
  {
    path: 'roles/:',
    on: {
      read: async ({ pki, at: [name] }) => ({ data: roleAnswer((await pki.roles.read(name!)).role) }),
      write: async ({ pki, at: [name], data }) => written(await pki.roles.write(name!, withoutPath(data))),
      patch: async ({ pki, at: [name], data }) => written(await pki.roles.write(name!, withoutPath(data), true)),
      delete: async ({ pki, at: [name] }) => {
        await pki.roles.remove(name!)
        return {}
      },
    },
  },
]

/** Clients repeat the name in the body. */
const withoutPath = ({ name: _, ...rest }: Call['data']): Call['data'] => rest
