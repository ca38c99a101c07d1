import { limits } from '../../../../runtime/limits.ts'
import { badRequest, forbidden, secret, twice } from '../answer.ts'
import { fieldsOf, type Fields } from '../fields.ts'
import type { Mount } from '../mounts.ts'
import type { Route } from '../route.ts'
import { secondsOf } from '../times.ts'

const SYSTEM = {
  accessor: 'system_vault', config: { default_lease_ttl: 0, force_no_cache: false, max_lease_ttl: 0 },
  description: 'system endpoints used for control, policy and debugging', local: false, options: null,
  seal_wrap: true, type: 'system', uuid: 'fixed-sys',
}
const TOKENS = {
  accessor: 'auth_token', description: 'token based credentials', local: false, options: null, seal_wrap: false,
  config: { default_lease_ttl: 0, force_no_cache: false, max_lease_ttl: 0, token_type: 'default-service' },
  type: 'token', uuid: 'fixed-token',
}

const told = ({ type, uuid, accessor, description, defaultTtl, maxTtl }: Mount): object => ({
  accessor, config: { default_lease_ttl: defaultTtl, force_no_cache: false, max_lease_ttl: maxTtl }, description,
  external_entropy_access: false, local: false, options: type === 'kv' ? { version: '2' } : null, seal_wrap: false,
  type, uuid,
})

const slashed = (path: string): string => (path.endsWith('/') ? path : `${path}/`)

function tuning(fields: Fields, config: Readonly<Record<string, unknown>>) {
  const maxTtl = secondsOf(config['max_lease_ttl'], 'max_lease_ttl')
  const defaultTtl = secondsOf(config['default_lease_ttl'], 'default_lease_ttl')
  if (maxTtl > 0 && defaultTtl > maxTtl) throw badRequest('default_lease_ttl is longer than max_lease_ttl')
  const description = fields.text('description') ?? ''
  if (description.length > limits.vaultHttpPath) throw badRequest('the description is too long')
  return { description, defaultTtl, maxTtl }
}

export const mountRoutes: readonly Route[] = [
  {
    path: 'sys/mounts',
    on: {
      async read({ services: { mounts } }) {
        const all = Object.fromEntries((await mounts.all()).map((mount) => [mount.path, told(mount)]))
        return twice({ ...all, 'sys/': SYSTEM })
      },
    },
  },
  {
    path: 'sys/mounts/*path',
    on: {
      async read({ services: { mounts }, params: { path } }) {
        const isTune = path!.endsWith('/tune')
        const wanted = slashed(isTune ? path!.slice(0, -'/tune'.length) : path!)
        const found = (await mounts.all()).find((mount) => mount.path === wanted)
        if (!found) throw badRequest(`No secret engine mount at ${wanted}`)
        if (!isTune) return twice(told(found))
        return twice({
          default_lease_ttl: found.defaultTtl || limits.vaultTokenSeconds, description: found.description,
          force_no_cache: false, max_lease_ttl: found.maxTtl || limits.vaultTokenSeconds,
          ...(found.type === 'kv' ? { options: { version: '2' } } : {}),
        })
      },
      async update({ services: { mounts }, params: { path }, fields, request: { data } }) {
        if (path!.endsWith('/tune')) {
          const wanted = slashed(path!.slice(0, -'/tune'.length))
          const found = (await mounts.all()).find((mount) => mount.path === wanted)
          if (!found) throw badRequest(`No secret engine mount at ${wanted}`)
          const { description, defaultTtl, maxTtl } = tuning(fields, data)
          await mounts.tune(wanted, {
            ...(data['description'] === undefined ? {} : { description }),
            ...(data['default_lease_ttl'] === undefined ? {} : { defaultTtl }),
            ...(data['max_lease_ttl'] === undefined ? {} : { maxTtl }),
          })
          return undefined
        }
        const type = fields.needed('type')
        const [options, config] = [data['options'] ?? {}, data['config'] ?? {}]
        if (typeof options !== 'object' || typeof config !== 'object') throw badRequest('options must be an object')
        const version = fieldsOf({ ...options as object }).text('version')
        if (type !== 'kv' && type !== 'kv-v2' && type !== 'pki') throw badRequest(`unknown backend type: "${type}"`)
        if (type === 'kv' && version !== '2') throw badRequest('only version 2 of kv is here: options {"version": "2"}')
        const wanted = slashed(path!)
        await mounts.add(wanted, type === 'pki' ? 'pki' : 'kv', tuning(fields, { ...config as object }))
        return undefined
      },
      async delete({ services: { mounts }, params: { path } }) {
        await mounts.remove(slashed(path!))
        return undefined
      },
    },
  },
  { path: 'sys/auth', on: { read: () => twice({ 'token/': TOKENS }) } },
  {
    path: 'sys/internal/ui/mounts',
    on: {
      async read({ services: { mounts }, holder: { acl } }) {
        const seen = (await mounts.all()).filter(({ path }) => acl.reaches(path))
        return secret({
          auth: acl.reaches('auth/token/') ? { 'token/': TOKENS } : {},
          secret: {
            ...Object.fromEntries(seen.map((mount) => [mount.path, told(mount)])),
            ...(acl.reaches('sys/') ? { 'sys/': SYSTEM } : {}),
          },
        })
      },
    },
  },
  {
    path: 'sys/internal/ui/mounts/*path',
    on: {
      // What the command line of Vault asks before each use of a kv mount
      async read({ services: { mounts }, holder: { acl }, params: { path } }) {
        const found = await mounts.find(path!)
        if (!found || !acl.reaches(found.path)) throw forbidden()
        return secret({ ...told(found), path: found.path })
      },
    },
  },
]
