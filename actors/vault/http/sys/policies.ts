import { nothingThere, secret, twice } from '../answer.ts'
import { policyName } from '../policies/store.ts'
import type { Cx, Route } from '../route.ts'

const named = ({ params }: Cx): string => policyName(params['name']!)

async function textOf(cx: Cx): Promise<string> {
  const text = await cx.services.policies.text(named(cx))
  if (text === undefined) throw nothingThere()
  return text
}

async function write(cx: Cx): Promise<undefined> {
  const { fields, services: { policies } } = cx
  await policies.write(named(cx), fields.text('policy') ?? fields.needed('rules'))
}

const remove = async (cx: Cx): Promise<undefined> => void await cx.services.policies.remove(named(cx))

export const policyRoutes: readonly Route[] = [
  {
    path: 'sys/policies/acl',
    on: { list: async ({ services: { policies } }) => secret({ keys: await policies.names() }) },
  },
  {
    path: 'sys/policies/acl/:name',
    on: { read: async (cx) => secret({ name: named(cx), policy: await textOf(cx) }), update: write, delete: remove },
  },
  {
    path: 'sys/policy',
    on: {
      async read({ services: { policies } }) {
        const names = await policies.names()
        return twice({ keys: names, policies: names })
      },
      list: async ({ services: { policies } }) => secret({ keys: await policies.names() }),
    },
  },
  {
    path: 'sys/policy/:name',
    on: { read: async (cx) => twice({ name: named(cx), rules: await textOf(cx) }), update: write, delete: remove },
  },
]
