import type { Handlers } from '../../runtime/actor.ts'
import { parseKey } from './key-path.ts'
import type { SystemConfig } from './protocol.ts'
import type { Caller } from './sessions.ts'
import type { State } from './state.ts'
import { execute, parseActions, parseJson, type KvAction } from './transaction.ts'
import { checkWritten } from './written.ts'

type Writing = Pick<
  Handlers<typeof SystemConfig, {}>, 'set' | 'create' | 'delete' | 'append' | 'setByJsonPath' | 'execTx'
>

export function writing({ records, permission, leaders, transact }: State): Writing {
  const change = async (cx: Caller, text: string, action: KvAction): Promise<{ revision: number }> => {
    const key = parseKey(text)
    await permission.write(cx, key)
    return { revision: await execute(records, new Map([[key, action]])) }
  }
  return {
    set({ key: text, value }, cx) {
      const key = parseKey(text)
      const put = (): Promise<{ revision: number }> => {
        checkWritten({ type: 'put', key, value })
        return records.put(key, value).then((revision) => ({ revision }))
      }
      const session = permission.write(cx, key)
      return session instanceof Promise ? session.then(put) : put()
    },
    create: ({ key, value }, cx) => change(cx, key, { action: 'create', value }),
    delete: ({ key }, cx) => change(cx, key, { action: 'remove' }),
    append: ({ key, value }, cx) => change(cx, key, { action: 'append', value }),
    setByJsonPath: async ({ key, path, value }, cx) =>
      change(cx, key, { action: 'set_by_path', all_set: { [path]: parseJson(value) } }),
    async execTx({ actions: named, mainKey, fence }, cx) {
      const actions = parseActions(named)
      const guard = mainKey && { key: parseKey(mainKey.key), revision: mainKey.revision }
      const session = await permission.transaction(cx, actions, guard)
      return { revision: await transact(session, actions, guard, fence && leaders.bind(fence)) }
    },
  }
}
