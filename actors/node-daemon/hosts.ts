import { limits } from '../../runtime/limits.ts'
import type { Client, Infer } from '../../runtime/protocol.ts'
import type { Supervision } from '../../runtime/supervision.ts'
import type { SystemConfig } from '../system-config/protocol.ts'

/** The registered devices, and nothing of what a host keeps beside its document. */
export const DEVICES = { prefix: 'devices/', leaves: ['doc'] }

type Event = Infer<typeof SystemConfig.methods.watch.item>

/** Tells the supervisor of this host, which judges their documents, what other hosts there are. */
export interface HostsTold {
  /** What the watch of `DEVICES` brought. */
  saw(event: Pick<Event, 'type' | 'key' | 'value'>): void
  /** What happens from now on the watch does not bring. */
  lost(): void
  /** One at a time: the last word is the newest. */
  tell(): Promise<void>
}

interface Options {
  readonly systemConfig: Pick<Client<typeof SystemConfig>, 'dump' | 'dumpDigest'>
  readonly supervision: Pick<Client<typeof Supervision>, 'devices' | 'devicesBefore' | 'devicesChanged'>
  readonly token: () => string | Promise<string>
}

/**
 * A thousand hosts need not read a thousand documents each whenever one joins: a daemon of another host in this process
 * may have told the same; else what the watch brought since is enough; and only who does not know what happened reads
 * all, page by page. By the digest it is seen whether that is what `kv://` has.
 */
export function tellingHosts({ systemConfig, supervision, token }: Options): HostsTold {
  /** Digest of what the supervisor was told last; undefined where that is not known. */
  let told: string | undefined
  /** By key, what the watch has brought since. If it was not all, the digest says so. */
  const since = new Map<string, { readonly text: string | undefined }>()
  let telling: Promise<void> = Promise.resolve()

  const forget = (seen: ReadonlyMap<string, object>): void => {
    for (const [key, entry] of seen) if (since.get(key) === entry) since.delete(key)
  }
  const byChanges = async (from: string, changes: ReadonlyMap<string, { readonly text: string | undefined }>) => {
    const put: Record<string, string> = {}
    const gone: string[] = []
    for (const [key, { text }] of changes) {
      if (text === undefined) gone.push(key)
      else put[key] = text
    }
    return (await supervision.devicesChanged({ from, put, gone })).digest ?? undefined
  }
  const byAll = async (): Promise<string> => {
    const query = { prefixes: [DEVICES.prefix], leaves: DEVICES.leaves }
    for (let after = '', offset = 0; ;) {
      const { items, more = false } = await systemConfig.dump({ ...query, page: { after } }, { token: await token() })
      const documents = Object.fromEntries(items.map(({ key, value }) => [key, value]))
      const { digest } = await supervision.devices({ documents, offset, more })
      const last = items.at(-1)
      if (!more || !last) return digest
      offset += items.length
      after = last.key
    }
  }
  const tellNow = async (): Promise<void> => {
    const seen = new Map(since)
    const { digest } = await systemConfig.dumpDigest(
      { prefixes: [DEVICES.prefix], leaves: DEVICES.leaves }, { token: await token() },
    )
    if (digest !== told) {
      const from = told
      told = undefined
      const isKnown = (await supervision.devicesBefore({ digest })).known
      told = isKnown ? digest : from !== undefined && seen.size > 0 ? await byChanges(from, seen) : undefined
      // Other writers may have been faster, or the watch slower
      if (told !== digest) told = await byAll()
    }
    forget(seen)
  }

  return {
    saw({ type, key, value }) {
      if (since.size >= limits.deviceDocuments) since.clear()
      since.set(key, { text: type === 'delete' ? undefined : value })
    },
    lost: () => since.clear(),
    tell() {
      telling = telling.catch(() => {}).then(tellNow)
      return telling
    },
  }
}
