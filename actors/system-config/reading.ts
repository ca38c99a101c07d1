import type { ActorStart, Handlers } from '../../runtime/actor.ts'
import { InvalidArgument } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import { kv } from '../records.ts'
import { dumpDigests } from './dump-digest.ts'
import { parseKey, parseScope, type Scope } from './key-path.ts'
import { PermittedWatch } from './permitted-watch.ts'
import type { SystemConfig } from './protocol.ts'
import type { KvRecord } from './records.ts'
import type { Session } from './sessions.ts'
import type { State } from './state.ts'

type Methods = Handlers<typeof SystemConfig, {}>
type Reading = Pick<Methods, 'get' | 'list' | 'dump' | 'dumpDigest' | 'watch' | 'check' | 'trust'>
type Cx = Parameters<Methods['dump']>[1]

type Got = { value: string; revision: number } | null

export function reading(
  { records, trust, permission, steps }: State, { self, clock, keys }: Pick<ActorStart, 'self' | 'clock' | 'keys'>,
): Reading {
  const digests = dumpDigests(records, keys)
  /** What of the prefixes may be read. */
  const scopesOf = async (prefixes: readonly string[], cx: Cx): Promise<readonly Scope[]> => {
    if (prefixes.length === 0) throw new InvalidArgument('There is no prefix to dump')
    if (prefixes.length > limits.dumpPrefixes) {
      throw new InvalidArgument(`A dump has at most ${limits.dumpPrefixes} prefixes: ${prefixes.length}`)
    }
    const allowed = await Promise.all(prefixes.map((prefix) => permission.scope(cx, parseScope(prefix))))
    for (const { session, scope } of allowed) steps.read(session, scope.path, 0)
    return allowed.map(({ scope }) => scope)
  }
  return {
    get({ key: text }, cx) {
      const key = parseKey(text)
      const answer = (session: Session, record: KvRecord | undefined): Got => {
        steps.read(session, key, record?.revision ?? 0)
        return record ? { value: record.value, revision: record.revision } : null
      }
      const session = permission.read(cx, key)
      // Nearly always both are there already, and a promise for each would be half of the work
      if (records.peek && !(session instanceof Promise)) return answer(session, records.peek(key))
      return (async () => answer(await session, await records.get(key)))()
    },
    async list({ key }, cx) {
      const scope = parseScope(key)
      steps.read(await permission.read(cx, scope.below), scope.below, 0)
      return await records.children(scope)
    },
    async dump({ prefixes, leaves, page }, cx) {
      const { items, revision } = await records.list(await scopesOf(prefixes, cx), leaves)
      return page ? { ...pageOf(items, page.after), revision } : { items, revision }
    },
    dumpDigest: async ({ prefixes, leaves }, cx) => digests(await scopesOf(prefixes, cx), leaves),
    watch: ({ prefix, after, leaves }, cx) =>
      new PermittedWatch({ records, permission, steps, clock }, { ...parseScope(prefix), leaves }, after, cx),
    async check({ key: text, act }, cx) {
      await permission[act](cx, parseKey(text))
      return {}
    },
    async trust(_, cx) {
      const supervisor = cx.peer.actor === 'supervisor' && cx.peer.host === self.host
      if (!supervisor) await permission.read(cx, kv.bootConfig)
      const keys = trust.keys.map(({ kid, reason, issuer }) => ({ kid, reason, issuer }))
      const [store, boot] = await Promise.all([records.store(), records.get(kv.bootConfig)])
      return { phase: trust.phase, keys, booted: trust.phase === 'normal', bootRevision: boot?.revision ?? 0, store }
    },
  }
}

/** At least one item, so that whoever goes on behind the last one comes to an end. */
function pageOf(items: readonly KvRecord[], after: string): { items: KvRecord[]; more: boolean } {
  const start = after === '' ? 0 : items.findIndex(({ key }) => key > after)
  const page: KvRecord[] = []
  let characters = 0
  for (let index = start; index >= 0 && index < items.length; index++) {
    const item = items[index]!
    characters += item.key.length + item.value.length
    if (page.length > 0 && characters > limits.dumpPage) return { items: page, more: true }
    page.push(item)
  }
  return { items: page, more: false }
}
