import type { ActorStart, Handlers } from '../../runtime/actor.ts'
import { InvalidArgument } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import { kv } from '../records.ts'
import { inScope, parseKey, parseScope } from './key-path.ts'
import type { SystemConfig } from './protocol.ts'
import type { State } from './state.ts'

type Reading = Pick<Handlers<typeof SystemConfig, {}>, 'get' | 'list' | 'dump' | 'watch' | 'check' | 'trust'>

export const reading = (
  { records, trust, permission, steps }: State, { self, clock }: Pick<ActorStart, 'self' | 'clock'>,
): Reading => ({
  async get({ key: text }, cx) {
    const key = parseKey(text)
    const session = await permission.read(cx, key)
    const record = await records.get(key)
    steps.read(session, key, record?.revision ?? 0)
    return record ? { value: record.value, revision: record.revision } : null
  },
  async list({ key }, cx) {
    const scope = parseScope(key)
    steps.read(await permission.read(cx, scope.below), scope.below, 0)
    return await records.children(scope)
  },
  async dump({ prefixes }, cx) {
    if (prefixes.length === 0) throw new InvalidArgument('There is no prefix to dump')
    if (prefixes.length > limits.dumpPrefixes) {
      throw new InvalidArgument(`A dump has at most ${limits.dumpPrefixes} prefixes: ${prefixes.length}`)
    }
    const allowed = await Promise.all(prefixes.map((prefix) => permission.scope(cx, parseScope(prefix))))
    for (const { session, scope } of allowed) steps.read(session, scope.path, 0)
    return await records.list(allowed.map(({ scope }) => scope))
  },
  async *watch({ prefix, after }, cx) {
    const asked = parseScope(prefix)
    const { session } = await permission.scope(cx, asked)
    steps.read(session, asked.path, 0)
    if (cx.signal.aborted) return
    const life = new AbortController()
    const end = (): void => life.abort()
    cx.signal.addEventListener('abort', end)
    const cancel = clock.after(session.expSeconds * 1000 - clock.now(), end)
    try {
      for await (const event of records.watch(asked, after, life.signal)) {
        // The token or the right may have ended since the stream began
        const { scope } = await permission.scope(cx, asked)
        if (inScope(scope, event.key)) yield event
      }
      // Nobody may wait for ever on a token that has died
      if (!cx.signal.aborted) await permission.scope(cx, asked)
    } finally {
      cancel()
      cx.signal.removeEventListener('abort', end)
    }
  },
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
})
