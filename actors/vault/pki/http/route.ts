import type { Pki } from '../pki.ts'
import type { EngineRequest, EngineResponse } from '../../engine.ts'
import { fieldsOf, type Fields } from './fields.ts'

/** What a route is given. */
export interface Call {
  readonly pki: Pki
  /** The segments for which `:` stands in its path, in order. */
  readonly at: readonly string[]
  readonly fields: Fields
  readonly data: EngineRequest['data']
  readonly holder: string
}

export type Operation = 'read' | 'write' | 'patch' | 'delete' | 'list'
export type Handle = (call: Call) => Promise<EngineResponse> | EngineResponse

export interface Route {
  /** Below the mount; `:` stands for one segment. */
  readonly path: string
  readonly on: Partial<Record<Operation, Handle>>
  /** Answered to whoever asks: what it gives is public. */
  readonly open?: true
}

const operations: Readonly<Record<EngineRequest['operation'], Operation>> = {
  read: 'read', create: 'write', update: 'write', patch: 'patch', delete: 'delete', list: 'list',
}

/** The route of a request, those without `:` first; undefined where there is none. */
export function findRoute(
  routes: readonly Route[], pki: Pki, { operation, path, data, holder }: EngineRequest,
): { readonly handle: Handle; readonly call: Call } | undefined {
  const asked = path.split('/')
  for (const route of routes) {
    const at = matches(route.path, asked)
    const handle = at && route.on[operations[operation]]
    if (handle) return { handle, call: { pki, at, fields: fieldsOf(data), data, holder } }
  }
  return undefined
}

function matches(pattern: string, asked: readonly string[]): readonly string[] | undefined {
  const segments = pattern.split('/')
  if (segments.length !== asked.length) return undefined
  const at: string[] = []
  for (const [index, segment] of segments.entries()) {
    if (segment === ':') at.push(asked[index]!)
    else if (segment !== asked[index]) return undefined
  }
  return at
}
