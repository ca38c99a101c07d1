import type { Unsealed } from '../core.ts'
import type { Area } from '../guarded.ts'
import type { Answer } from './answer.ts'
import { fieldsOf, type Fields } from './fields.ts'
import type { Operator } from './operator.ts'
import type { Acl } from './policies/acl.ts'
import type { Operation, VaultRequest } from './request.ts'
import type { Services } from './services.ts'
import type { Token } from './tokens/store.ts'

/** Who asks, once the token was found and one use of it taken. */
export interface Holder extends Token {
  /** As it was shown. */
  readonly token: string
  readonly acl: Acl
}

interface Given {
  readonly request: VaultRequest
  readonly fields: Fields
  /** What stands where the pattern has names. */
  readonly params: Readonly<Record<string, string>>
  readonly area: Area
}

/** What a route is given: of one that is served sealed, only what is there then. */
export type OpenCx = Given & {
  readonly operator: Operator
  readonly openServices: (vault: Unsealed) => Promise<Services>
}
export type Cx = Given & { readonly services: Services; readonly holder: Holder }

type On<C> = Partial<Record<Operation, (cx: C) => Promise<Answer> | Answer>>

/** `:name` stands for one segment, `*name` for all that follow. */
export type Route =
  | { readonly path: string; readonly open?: undefined; readonly sudo?: boolean; readonly on: On<Cx> }
  /** Served without a token, also while the vault is sealed. */
  | { readonly path: string; readonly open: true; readonly on: On<OpenCx> }

interface Compiled {
  readonly route: Route
  readonly segments: readonly string[]
}

export interface Match {
  readonly route: Route
  readonly params: Readonly<Record<string, string>>
}

/** The first that fits, in the order given. */
export function createRouter(routes: readonly Route[]): (path: string) => Match | undefined {
  const compiled = routes.map((route): Compiled => ({ route, segments: route.path.split('/') }))
  return (path) => {
    const given = path.split('/')
    for (const { route, segments } of compiled) {
      const params = paramsOf(segments, given)
      if (params) return { route, params }
    }
    return undefined
  }
}

function paramsOf(segments: readonly string[], given: readonly string[]): Record<string, string> | undefined {
  const rest = segments.at(-1)!.startsWith('*')
  if (rest ? given.length < segments.length : given.length !== segments.length) return undefined
  const params: Record<string, string> = {}
  for (const [index, segment] of segments.entries()) {
    if (segment.startsWith(':')) params[segment.slice(1)] = given[index]!
    else if (segment.startsWith('*')) params[segment.slice(1)] = given.slice(index).join('/')
    else if (segment !== given[index]) return undefined
  }
  return params
}

export const given = (request: VaultRequest, { params }: Match, area: Area): Given =>
  ({ request, fields: fieldsOf(request.data), params, area })
