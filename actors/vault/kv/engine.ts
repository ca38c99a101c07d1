import { limits } from '../../../runtime/limits.ts'
import type { Engine, EnginePorts, EngineRequest, EngineResponse } from '../engine.ts'
import { badRequest, Fault, forbidden, nothingThere, unsupportedPath } from '../http/answer.ts'
import { fieldsOf } from '../http/fields.ts'
import { durationText, rfc3339, secondsOf } from '../http/times.ts'
import { SecretVersionMismatch } from '../protocol.ts'
import { namesBelow } from './listing.ts'
import { customOf, mergePatch, metadataChange, subkeysOf } from './merge.ts'
import { folder, isDeleted, type Metadata, type Value, type Version } from './record.ts'
import { createKvStore, type Found } from './store.ts'

export interface KvOptions extends EnginePorts {
  /** Folders that nobody reaches this way, whatever their policies say. */
  readonly hidden?: readonly string[]
}

type Data = EngineRequest['data']
type Answer = EngineResponse

/** KV version 2, as Vault answers it. */
export function createKvEngine({ barrier, clock, hidden = [] }: KvOptions): Engine {
  const store = createKvStore({ barrier, clock })
  const isHidden = (path: string): boolean =>
    hidden.some((prefix) => path === prefix.slice(0, -1) || path.startsWith(prefix))

  const versionData = (metadata: Metadata, version: Version): Record<string, unknown> => ({
    created_time: rfc3339(version.createdAt), custom_metadata: metadata.custom ?? null,
    deletion_time: version.deletedAt === undefined ? '' : rfc3339(version.deletedAt),
    destroyed: version.destroyed === true, version: version.version,
  })
  const versionOf = (data: Data): number | undefined => fieldsOf(data).whole('version', { max: 2 ** 31 }) || undefined
  const read = async (path: string, data: Data): Promise<Found> => {
    const found = await store.get(path, versionOf(data))
    if (found === undefined) throw nothingThere()
    return found
  }
  const casOf = (data: Data): number | undefined => {
    const options = data['options']
    if (options === undefined || options === null) return undefined
    if (typeof options !== 'object' || Array.isArray(options)) throw badRequest('options must be an object')
    return fieldsOf({ ...options }).whole('cas')
  }
  const bodyOf = (data: Data): Record<string, unknown> => {
    const body = data['data']
    if (body === undefined || body === null) throw badRequest('no data provided')
    if (typeof body !== 'object' || Array.isArray(body)) throw badRequest('data must be an object')
    return body as Record<string, unknown>
  }
  const written = async (work: Promise<{ metadata: Metadata; version: Version }>): Promise<Answer> => {
    try {
      const { metadata, version } = await work
      return { data: versionData(metadata, version) }
    } catch (error) {
      if (!(error instanceof SecretVersionMismatch)) throw error
      throw badRequest(error.details['required'] === true
        ? 'check-and-set parameter required for this call'
        : 'check-and-set parameter did not match the current version')
    }
  }
  const versionsOf = (data: Data): ReadonlySet<number> => {
    const words = data['versions']
    const list: readonly unknown[] = Array.isArray(words) ? words : typeof words === 'string' ? words.split(',') : []
    const figures = list.map(Number)
    const sound = figures.every((figure) => Number.isSafeInteger(figure) && figure > 0)
    if (figures.length === 0 || figures.length > limits.vaultKvVersions || !sound) {
      throw badRequest(`versions must be a list of 1 to ${limits.vaultKvVersions} version numbers`)
    }
    return new Set(figures)
  }
  const marked = (path: string, mark: (version: Version) => Version, which: (version: Version) => boolean) =>
    store.change(path, (metadata) => ({
      ...metadata, versions: metadata.versions.map((version) => (which(version) ? mark(version) : version)),
    }))
  const deleted = (version: Version): Version =>
    (isDeleted(version, clock.now()) ? version : { ...version, deletedAt: clock.now() })
  const undeleted = ({ deletedAt: _, ...version }: Version): Version => version
  const destroyed = (version: Version): Version => ({ ...version, destroyed: true })

  const routes: Readonly<Record<string, Partial<Record<EngineRequest['operation'], Route>>>> = {
    data: {
      async read(path, data) {
        const { metadata, version, value } = await read(path, data)
        const found = { data: value ? objectOf(value) : null, metadata: versionData(metadata, version) }
        return value ? { data: found } : { data: found, status: 404 }
      },
      update: async (path, data) => written(store.put(path, valueOf(bodyOf(data)), { cas: casOf(data) })),
      async patch(path, data) {
        const changes = bodyOf(data)
        return written(store.put(path, undefined, {
          cas: casOf(data),
          from(current) {
            if (current?.value === undefined) throw nothingThere()
            return valueOf(mergePatch(objectOf(current.value), changes))
          },
        }))
      },
      async delete(path) {
        const metadata = await store.metadata(path)
        if (metadata) await marked(path, deleted, ({ version }) => version === metadata.current)
        return {}
      },
    },
    delete: { update: async (path, data) => touched(marked(path, deleted, of(versionsOf(data)))) },
    undelete: { update: async (path, data) => touched(marked(path, undeleted, of(versionsOf(data)))) },
    destroy: { update: async (path, data) => touched(marked(path, destroyed, of(versionsOf(data)))) },
    metadata: {
      async read(path) {
        const metadata = await store.metadata(path)
        if (metadata === undefined) throw nothingThere()
        return { data: metadataData(metadata, versionData) }
      },
      update: async (path, data) => touched(store.ensure(path, metadataChange(data, clock.now()))),
      async patch(path, data) {
        const custom = customOf(data['custom_metadata'], true)
        const change = metadataChange({ ...data, custom_metadata: undefined }, clock.now())
        const merged = (metadata: Metadata): Metadata => (custom === undefined ? metadata : {
          ...metadata, custom: customOf(mergePatch(metadata.custom ?? {}, custom)) ?? {},
        })
        if (!await store.change(path, (metadata) => merged(change(metadata)))) throw nothingThere()
        return {}
      },
      async delete(path) {
        await store.remove(path)
        return {}
      },
      async list(path, data) {
        const fields = fieldsOf(data)
        const limit = fields.whole('limit', { max: limits.vaultListNames }) || limits.vaultListNames
        const prefix = path === '' ? '' : `${path}/`
        const after = fields.text('after')
        const names = await namesBelow(barrier, folder.metadata + prefix, { after: after || undefined, limit: limit + 1 })
        const keys = names.slice(0, limit).filter((name) => !isHidden(prefix + name))
        if (keys.length === 0) throw nothingThere()
        return names.length <= limit ? { data: { keys } } : {
          data: { keys }, warnings: [`There are more than ${limit}: go on with after=${keys.at(-1)}`],
        }
      },
    },
    subkeys: {
      async read(path, data) {
        const depth = fieldsOf(data).whole('depth', { max: limits.vaultHttpDepth }) ?? 0
        const { metadata, version, value } = await read(path, data)
        const found = {
          subkeys: value ? subkeysOf(objectOf(value), depth === 0 ? Infinity : depth) : null,
          metadata: versionData(metadata, version),
        }
        return value ? { data: found } : { data: found, status: 404 }
      },
    },
  }
  const config: Partial<Record<EngineRequest['operation'], Route>> = {
    async read() {
      const { maxVersions, casRequired, deleteAfterSeconds } = await store.config()
      return {
        data: {
          max_versions: maxVersions, cas_required: casRequired, delete_version_after: durationText(deleteAfterSeconds),
        },
      }
    },
    async update(_, data) {
      const fields = fieldsOf(data)
      const before = await store.config()
      await store.configure({
        maxVersions: fields.whole('max_versions', { max: limits.vaultKvVersions }) ?? before.maxVersions,
        casRequired: fields.flag('cas_required') ?? before.casRequired,
        deleteAfterSeconds: data['delete_version_after'] === undefined
          ? before.deleteAfterSeconds : secondsOf(data['delete_version_after'], 'delete_version_after'),
      })
      return {}
    },
  }

  const secretOf = (path: string): readonly [kind: string, path: string] => {
    const slash = path.indexOf('/')
    return slash < 0 ? [path, ''] : [path.slice(0, slash), path.slice(slash + 1)]
  }
  return {
    type: 'kv', open: [],
    async exists(full) {
      const [kind, path] = secretOf(full)
      if (path === '' || isHidden(path) || (kind !== 'data' && kind !== 'metadata')) return true
      return await store.metadata(path) !== undefined
    },
    async handle({ operation: asked, path: full, data }) {
      const [kind, path] = secretOf(full)
      const operation = asked === 'create' ? 'update' : asked
      if (full === 'config') return routeOf(config, operation)('', data)
      const isRoot = path === '' && kind === 'metadata' && operation === 'list'
      if (!Object.hasOwn(routes, kind) || (path === '' && !isRoot)) throw unsupportedPath()
      if (isHidden(path)) throw forbidden()
      if (path.length > limits.vaultSecretPath) throw badRequest(`longer than ${limits.vaultSecretPath} characters`)
      return routeOf(routes[kind]!, operation)(path, data)
    },
  }
}

type Route = (path: string, data: Data) => Promise<Answer>

function routeOf(on: Partial<Record<EngineRequest['operation'], Route>>, operation: EngineRequest['operation']): Route {
  const route = on[operation]
  if (route === undefined) throw new Fault(405, 'unsupported operation')
  return route
}

const touched = async (work: Promise<unknown>): Promise<Answer> => {
  await work
  return {}
}

const of = (versions: ReadonlySet<number>) => ({ version }: Version): boolean => versions.has(version)

const valueOf = (body: Record<string, unknown>): Value => ({ value: JSON.stringify(body), json: true })

/** What an actor has put there over its link is a text. */
const objectOf = ({ value, json }: Value): Record<string, unknown> =>
  (json ? JSON.parse(value) as Record<string, unknown> : { value })

function metadataData(
  metadata: Metadata, versionData: (metadata: Metadata, version: Version) => Record<string, unknown>,
): Record<string, unknown> {
  const { versions, current, custom, maxVersions = 0, casRequired = false, deleteAfterSeconds = 0 } = metadata
  const [first, last] = [versions[0], versions.at(-1)]
  return {
    cas_required: casRequired, created_time: rfc3339(metadata.createdAt ?? first?.createdAt ?? 0),
    current_version: current, custom_metadata: custom ?? null, delete_version_after: durationText(deleteAfterSeconds),
    max_versions: maxVersions, oldest_version: first?.version ?? 0,
    updated_time: rfc3339(metadata.updatedAt ?? last?.createdAt ?? metadata.createdAt ?? 0),
    versions: Object.fromEntries(versions.map((one) => {
      const { version, custom_metadata: _, ...told } = versionData(metadata, one)
      return [String(version), told]
    })),
  }
}
