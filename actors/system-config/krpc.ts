import type { CallContext, Handlers } from '../../runtime/actor.ts'
import { InvalidArgument } from '../../runtime/errors.ts'
import {
  boolean, integer, minValue, nullable, number, object, optional, picklist, pipe, record, string, union, type Infer,
} from '../../runtime/protocol.ts'
import { answering, method, streaming, type KrpcTable } from '../krpc.ts'
import { kv } from '../records.ts'
import { Action, krpcReads, own as ownMembers, type SystemConfig } from './protocol.ts'
import type { KvAction } from './transaction.ts'

type Krpc = Pick<Handlers<typeof SystemConfig, {}>, 'krpc' | 'krpcRead' | 'krpcStream'>
type OfActors = 'enforcement' | 'renewLease' | 'releaseLease' | 'revoke' | 'lead' | 'resign'
type Own = Omit<Handlers<typeof SystemConfig, {}>, keyof Krpc | OfActors>
type Cx = CallContext<{}>

const revision = pipe(number(), integer(), minValue(0))
const Key = object({ key: string() })
const Written = object({ key: string(), value: string() })
const Appended = object({ key: string(), append_value: string() })
const SetByPath = object({ key: string(), json_path: string(), value: string() })
const Check = object({ key: string(), act: picklist(['read', 'write']) })
const Explain = object({
  key: string(), act: picklist(['read', 'write']), sub: optional(string()), appid: optional(string()),
  runtime_type: optional(string()), sudo: optional(boolean()),
})
const ExecTx = object({
  actions: pipe(ownMembers, record(string(), Action)),
  main_key: optional(nullable(union([string(), object({ key: string(), revision })]))),
})

/** What `dump_configs_for_scheduler` gives: as much of it as its caller may read. */
const DUMPED = ['boot/', 'devices/', 'nodes/', 'services/', 'system/', 'users/'] as const

const ALIAS = 'obj://config/'
/** The newer of the originals' two schemes. The rules for keys are the actor's, and nothing is tidied up. */
const keyOf = (text: string): string => (text.startsWith(ALIAS) ? `kv://${text.slice(ALIAS.length)}` : text)
/** Theirs may begin without the slash. */
const pathOf = (text: string): string => (text.startsWith('/') ? text : `/${text}`)

/** The originals' methods on our own handlers: what these check and refuse holds here as well. */
export function krpc(own: Own): Krpc {
  const revisionNow = async (prefix: string, cx: Cx): Promise<number> =>
    (await own.dump({ prefixes: [prefix], page: { after: '' } }, cx)).revision
  const table: KrpcTable<Cx, unknown> = {
    sys_config_get: method(Key, async ({ key }, cx: Cx) => {
      const found = await own.get({ key: keyOf(key) }, cx)
      return found && { value: found.value, version: found.revision }
    }),
    sys_config_set: method(Written, ({ key, value }, cx: Cx) => own.set({ key: keyOf(key), value }, cx)),
    sys_config_create: method(Written, ({ key, value }, cx: Cx) => own.create({ key: keyOf(key), value }, cx)),
    sys_config_delete: method(Key, ({ key }, cx: Cx) => own.delete({ key: keyOf(key) }, cx)),
    sys_config_append: method(Appended, ({ key, append_value: value }, cx: Cx) =>
      own.append({ key: keyOf(key), value }, cx)),
    sys_config_list: method(Key, ({ key }, cx: Cx) => own.list({ key: keyOf(key) }, cx)),
    sys_config_set_by_json_path: method(SetByPath, ({ key, json_path: path, value }, cx: Cx) =>
      own.setByJsonPath({ key: keyOf(key), path: pathOf(path), value }, cx)),
    sys_config_exec_tx: method(ExecTx, (tx, cx: Cx) => own.execTx(readTx(tx), cx)),
    dump_configs_for_scheduler: method(object({}), async (_, cx: Cx) => {
      const { items } = await own.dump({ prefixes: [...DUMPED] }, cx)
      return Object.fromEntries(items.map(({ key, value }) => [key, value]))
    }),
    /** The keys follow `boot/config` by themselves: this only answers whether the caller may know of it. */
    sys_refresh_trust_keys: method(object({}), async (_, cx: Cx) => {
      await own.get({ key: kv.bootConfig }, cx)
      return null
    }),
    /** Ours: where a watch of this prefix begins that begins now, for who must lose nothing when it is cut early. */
    sys_config_revision: method(object({ prefix: string() }), async ({ prefix }, cx: Cx) =>
      ({ revision: await revisionNow(keyOf(prefix), cx) })),
    /** Ours: whether the session may do this. */
    sys_config_check: method(Check, async ({ key, act }, cx: Cx) => {
      await own.check({ key: keyOf(key), act }, cx)
      return true
    }),
    /** Ours: what each layer of the policy says of it, for the caller or for somebody else. */
    sys_config_explain: method(Explain, async ({ runtime_type: runtimeType, key, ...rest }, cx: Cx) =>
      (await own.explain({ ...rest, key: keyOf(key), ...(runtimeType === undefined ? {} : { runtimeType }) }, cx))
        .explanation),
  }
  const streams: KrpcTable<Cx, AsyncIterable<unknown>> = {
    /** Ours: changes after a revision; without one, from now on. */
    sys_config_watch: method(object({ prefix: string(), after: optional(revision) }), ({ prefix, after }, cx: Cx) =>
      after === undefined ? fromNow(keyOf(prefix), cx) : own.watch({ prefix: keyOf(prefix), after }, cx)),
  }
  async function* fromNow(prefix: string, cx: Cx): AsyncIterable<unknown> {
    yield* own.watch({ prefix, after: await revisionNow(prefix, cx) }, cx)
  }
  const reads = Object.fromEntries(Object.entries(table).filter(([name]) => krpcReads.has(name)))
  return { krpc: answering(table), krpcRead: answering(reads), krpcStream: streaming(streams) }
}

/** @throws InvalidArgument when it names a key twice, or its `main_key` is text without a revision */
function readTx({ actions, main_key: given }: Infer<typeof ExecTx>) {
  const mainKey = typeof given === 'string' ? mainKeyIn(given) : given
  const read = renamed('actions: a key', actions, keyOf, (action): KvAction =>
    action.action === 'set_by_path'
      ? { ...action, all_set: renamed('all_set: a path', action.all_set, pathOf, (value) => value) } : action)
  return { actions: read, ...(mainKey ? { mainKey: { key: keyOf(mainKey.key), revision: mainKey.revision } } : {}) }
}

/** The older form, "key:revision". The first of the originals compared nothing with it; here it is compared. */
function mainKeyIn(text: string): { readonly key: string; readonly revision: number } {
  const [, key = '', digits = ''] = /^(.+):(0|[1-9]\d{0,15})$/.exec(text) ?? []
  if (key === '' || !Number.isSafeInteger(Number(digits))) {
    throw new InvalidArgument('main_key: it is an object {key, revision}, or the text "key:revision"')
  }
  return { key, revision: Number(digits) }
}

/** @throws InvalidArgument when two names come to the same */
function renamed<V, W>(
  what: string, members: Readonly<Record<string, V>>, rename: (name: string) => string, change: (value: V) => W,
): Record<string, W> {
  const names = new Set<string>()
  return Object.fromEntries(Object.entries(members).map(([text, value]) => {
    const name = rename(text)
    if (names.has(name)) throw new InvalidArgument(`${what} is named twice: ${JSON.stringify(name)}`)
    names.add(name)
    return [name, change(value)]
  }))
}
