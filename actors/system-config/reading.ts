import type { Handlers, Self } from '../../runtime/actor.ts'
import { InvalidArgument } from '../../runtime/errors.ts'
import { kv } from '../records.ts'
import { inScope, parseKey, parseScope } from './key-path.ts'
import type { SystemConfig } from './protocol.ts'
import type { State } from './state.ts'

type Reading = Pick<Handlers<typeof SystemConfig, {}>, 'get' | 'list' | 'dump' | 'watch' | 'trust'>

export const reading = ({ records, trust, permission, steps }: State, self: Self): Reading => ({
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
    const allowed = await Promise.all(prefixes.map((prefix) => permission.scope(cx, parseScope(prefix))))
    for (const { session, scope } of allowed) steps.read(session, scope.path, 0)
    return await records.list(allowed.map(({ scope }) => scope))
  },
  async *watch({ prefix, after }, cx) {
    const asked = parseScope(prefix)
    steps.read((await permission.scope(cx, asked)).session, asked.path, 0)
    for await (const event of records.watch(asked, after, cx.signal)) {
      // The token or the right may have ended since the stream began
      const { scope } = await permission.scope(cx, asked)
      if (inScope(scope, event.key)) yield event
    }
  },
  async trust(_, cx) {
    const supervisor = cx.peer.actor === 'supervisor' && cx.peer.host === self.host
    if (!supervisor) await permission.read(cx, kv.bootConfig)
    const keys = trust.keys.map(({ kid, reason, issuer }) => ({ kid, reason, issuer }))
    return { phase: trust.phase, keys, booted: trust.phase === 'normal' }
  },
})
