import type { SystemConfig } from '../../actors/system-config/protocol.ts'
import { limits } from '../../runtime/limits.ts'
import type { Client, Infer } from '../../runtime/protocol.ts'

type Kv = Client<typeof SystemConfig>
type Event = Infer<typeof SystemConfig.methods.watch.item>

/** `kv://` as a map, with the part of system-config's protocol that reads it. `revoke` as the test makes it. */
export class KvRecords extends Map<string, string> {
  #revision = 1
  readonly #revisions = new Map<string, number>()
  readonly #events: Event[] = []
  #wake: (() => void)[] = []
  revoke: ((args: { sessions: readonly { sid: string; until: number }[] }) => Promise<unknown>) | undefined

  override set(key: string, value: string): this {
    super.set(key, value)
    this.#revisions.set(key, ++this.#revision)
    this.#tell({ type: 'put', key, value, revision: this.#revision })
    return this
  }

  override delete(key: string): boolean {
    const was = super.delete(key)
    if (was) this.#tell({ type: 'delete', key, value: '', revision: ++this.#revision })
    return was
  }

  #tell(event: Event): void {
    // The map's own constructor has no members yet
    this.#events.push(event)
    for (const wake of this.#wake.splice(0)) wake()
  }

  /** `read` is told of each key or prefix that is asked for, and of the token that asks. */
  client(read: (key: string, token: string) => void): Pick<Kv, 'get' | 'dump' | 'watch'> {
    const own = this
    const matches = (key: string, prefix: string, leaves: readonly string[] = []): boolean =>
      key.startsWith(prefix) && (leaves.length === 0 || leaves.includes(key.split('/').at(-1)!))
    return {
      get revoke() { return own.revoke },
      async get({ key }, settings) {
        read(key, settings?.token ?? '')
        const value = own.get(key)
        return value === undefined ? null : { value, revision: own.#revisions.get(key) ?? 1 }
      },
      async dump({ prefixes, leaves, page }, settings) {
        for (const prefix of prefixes) read(prefix, settings?.token ?? '')
        const items = [...own].filter(([key]) => prefixes.some((prefix) => matches(key, prefix, leaves)))
          .map(([key, value]) => ({ key, value, revision: 1 }))
        if (!page) return { items, revision: own.#revision }
        const rest = items.filter(({ key }) => key > page.after).sort((a, b) => (a.key < b.key ? -1 : 1))
        let characters = 0
        const end = rest.findIndex(({ key, value }, index) =>
          (characters += key.length + value.length) > limits.dumpPage && index > 0)
        return { items: end < 0 ? rest : rest.slice(0, end), revision: own.#revision, more: end >= 0 }
      },
      async *watch({ prefix, after, leaves }, settings) {
        const signal = settings?.signal
        for (let seen = 0; !signal?.aborted;) {
          const event = own.#events[seen++]
          if (event) {
            if (event.revision > after && matches(event.key, prefix, leaves)) yield event
            continue
          }
          seen--
          await new Promise<void>((resolve) => {
            own.#wake.push(resolve)
            signal?.addEventListener('abort', () => resolve(), { once: true })
          })
        }
      },
    } as Pick<Kv, 'get' | 'dump' | 'watch'>
  }
}
