import type { GenericSchema, InferOutput } from 'valibot'

/** Shapes of arguments and results. `object` refuses keys that it does not name. */
export {
  array,
  bigint,
  boolean,
  literal,
  maxEntries,
  maxLength,
  minLength,
  minValue,
  maxValue,
  integer,
  nullable,
  number,
  optional,
  picklist,
  pipe,
  record,
  regex,
  strictObject as object,
  string,
  tuple,
  union,
  unknown,
  variant,
} from 'valibot'
export type { InferOutput as Infer } from 'valibot'

export type Schema = GenericSchema
/** Least protection of the frames that carry this method. */
export type Suite = 'mac' | 'sealed' | 'signature'

export interface CallEntry<A extends Schema = Schema, R extends Schema = Schema> {
  readonly kind: 'call'
  readonly args: A
  readonly result: R
  /** Calls that may run at the same time beside each other; 1 is exclusive in the whole actor. */
  readonly concurrent: number
  readonly suite?: Suite
}

export interface StreamEntry<A extends Schema = Schema, I extends Schema = Schema> {
  readonly kind: 'stream'
  readonly args: A
  readonly item: I
  readonly suite?: Suite
}

export interface SendEntry<A extends Schema = Schema> {
  readonly kind: 'send'
  readonly args: A
  readonly suite?: Suite
}

export type Entry = CallEntry | StreamEntry | SendEntry
export type Methods = Readonly<Record<string, Entry>>

/** What others import of an actor: a value, because types cannot validate an edge. */
export interface Protocol<M extends Methods = Methods> {
  readonly name: string
  readonly methods: M
}

interface CallOptions {
  readonly concurrent?: number
  readonly suite?: Suite
}

/** Request and reply. Exclusive in its actor unless `concurrent` says otherwise. */
export function call<A extends Schema, R extends Schema>(
  args: A,
  result: R,
  options: CallOptions = {},
): CallEntry<A, R> {
  return { kind: 'call', args, result, concurrent: options.concurrent ?? 1, ...suiteOf(options) }
}

/** One request, any number of items, with credit. Streams do not occupy the actor. */
export function stream<A extends Schema, I extends Schema>(
  args: A,
  item: I,
  options: { suite?: Suite } = {},
): StreamEntry<A, I> {
  return { kind: 'stream', args, item, ...suiteOf(options) }
}

/** One way: at most once, no answer, no error; what could not be delivered counts as a dead letter. */
export function send<A extends Schema>(args: A, options: { suite?: Suite } = {}): SendEntry<A> {
  return { kind: 'send', args, ...suiteOf(options) }
}

function suiteOf(options: { suite?: Suite }): { suite?: Suite } {
  return options.suite ? { suite: options.suite } : {}
}

export function protocol<const M extends Methods>(name: string, methods: M): Protocol<M> {
  if (!/^[a-z][a-z0-9-]{0,62}$/.test(name)) throw new Error(`Protocol name must match [a-z][a-z0-9-]*: ${name}`)
  return Object.freeze({ name, methods: Object.freeze(methods) })
}

export interface CallSettings {
  /** Milliseconds from now; inside a handler never beyond the deadline of the call being served. */
  readonly withinMs?: number
  readonly signal?: AbortSignal
  /** Speak for the principal of this token; without it the call speaks for the calling actor itself. */
  readonly token?: string
}

type ClientMethod<E> =
  E extends CallEntry<infer A, infer R>
    ? (args: InferOutput<A>, settings?: CallSettings) => Promise<InferOutput<R>>
    : E extends StreamEntry<infer A, infer I>
      ? (args: InferOutput<A>, settings?: CallSettings) => AsyncIterable<InferOutput<I>>
      : E extends SendEntry<infer A>
        ? (args: InferOutput<A>, settings?: CallSettings) => void
        : never

/** An actor as its caller sees it. */
export type Client<P extends Protocol> = { readonly [K in keyof P['methods']]: ClientMethod<P['methods'][K]> }
