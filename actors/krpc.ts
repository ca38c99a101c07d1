import { safeParse } from 'valibot'
import { defineError, InvalidArgument } from '../runtime/errors.ts'
import { refined } from '../runtime/feed.ts'
import type { Infer, Schema } from '../runtime/protocol.ts'

/** What an actor answers by kRPC. Each actor's table stands beside its handlers. */

export const UnknownMethod = defineError('UnknownMethod')

export interface Request {
  readonly method: string
  readonly params?: unknown
  /** Number of the envelope. */
  readonly sequence?: number | undefined
}

export interface KrpcMethod<Cx, Answer> {
  readonly params: Schema
  readonly run: (params: never, cx: Cx, request: Request) => Answer
}

/** One method: the shape of its parameters, checked before it runs. */
export const method = <S extends Schema, Cx, Answer>(
  params: S, run: (params: Infer<S>, cx: Cx, request: Request) => Answer,
): KrpcMethod<Cx, Answer> => ({ params, run: run as KrpcMethod<Cx, Answer>['run'] })

export type KrpcTable<Cx, Answer> = Readonly<Record<string, KrpcMethod<Cx, Answer>>>

/** @throws UnknownMethod, InvalidArgument, or what the method throws */
function dispatch<Cx, Answer>(table: KrpcTable<Cx, Answer>, request: Request, cx: Cx): Answer {
  const { method: name, params = {} } = request
  const found = Object.hasOwn(table, name) ? table[name] : undefined
  if (!found) throw new UnknownMethod(`Unknown method: ${name.slice(0, NAME_SHOWN)}`)
  const parsed = safeParse(found.params, params ?? {})
  if (!parsed.success) {
    const [issue] = parsed.issues
    const path = (issue.path ?? []).map(({ key }) => String(key)).join('.')
    throw new InvalidArgument(`Parameters of ${name}: ${path === '' ? '' : `${path}: `}${issue.message}`)
  }
  return found.run(parsed.output as never, cx, request)
}

const NAME_SHOWN = 64

/** The handler of a protocol's `krpc`. */
export const answering = <Cx>(table: KrpcTable<Cx, unknown>) =>
  async (request: Request, cx: Cx): Promise<{ result: unknown }> =>
    ({ result: await dispatch(table, request, cx) ?? null })

/** The handler of a protocol's `krpcStream`. */
export const streaming = <Cx>(table: KrpcTable<Cx, AsyncIterable<unknown>>) =>
  (request: Request, cx: Cx): AsyncIterable<{ item: unknown }> =>
    refined(dispatch(table, request, cx), (item) => ({ item }))
