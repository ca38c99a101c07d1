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
  readonly life: EngineRequest['life']
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

export interface Found {
  readonly handle: Handle
  readonly call: Call
}

/** Finds the route of a request, one without `:` before one with it; undefined where there is none. */
export function createRouter(routes: readonly Route[]): (pki: Pki, request: EngineRequest) => Found | undefined {
  const plain = new Map(routes.filter(({ path }) => !path.includes(':')).map((route) => [route.path, route]))
  const named = routes.filter(({ path }) => path.includes(':')).map((route) =>
    ({ route, segments: route.path.split('/') }))
  return (pki, { operation, path, data, holder, life }) => {
    const found = (route: Route | undefined, at: readonly string[]): Found | undefined => {
      const handle = route?.on[operations[operation]]
      return handle && { handle, call: { pki, at, fields: fieldsOf(data), data, holder, life } }
    }
    const direct = found(plain.get(path), [])
    if (direct) return direct
    const asked = path.split('/')
    for (const { route, segments } of named) {
      const at = matches(segments, asked) ? asked.filter((_, index) => segments[index] === ':') : undefined
      const other = at && found(route, at)
      if (other) return other
    }
    return undefined
  }
}

function matches(segments: readonly string[], asked: readonly string[]): boolean {
  if (segments.length !== asked.length) return false
  for (let index = 0; index < segments.length; index++) {
    if (segments[index] !== ':' && segments[index] !== asked[index]) return false
  }
  return true
}
