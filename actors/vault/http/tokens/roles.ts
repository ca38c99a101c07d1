import { limits } from '../../../../runtime/limits.ts'
import {
  array, boolean, integer, number, object, pipe, string, type Infer,
} from '../../../../runtime/protocol.ts'
import { badRequest, nothingThere, secret } from '../answer.ts'
import { policyName } from '../policies/store.ts'
import type { Cx, Route } from '../route.ts'
import { secondsOf } from '../times.ts'
import { createToken } from './create.ts'
import { folder, rolePath } from './record.ts'

const seconds = pipe(number(), integer())

const RoleRecord = object({
  allowedPolicies: array(string()), disallowedPolicies: array(string()), allowedGlob: array(string()),
  disallowedGlob: array(string()), orphan: boolean(), renewable: boolean(), pathSuffix: string(), period: seconds,
  explicitMaxTtl: seconds, noDefaultPolicy: boolean(),
})
type RoleRecord = Infer<typeof RoleRecord>

export interface Role extends RoleRecord {
  /** What the token gets of what was asked for. @throws Fault 400 */
  policiesFor(asked: readonly string[], own: readonly string[]): readonly string[]
}

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/
const SUFFIX = /^[A-Za-z0-9._-]{0,64}$/
const absent: RoleRecord = {
  allowedPolicies: [], disallowedPolicies: [], allowedGlob: [], disallowedGlob: [], orphan: false, renewable: true,
  pathSuffix: '', period: 0, explicitMaxTtl: 0, noDefaultPolicy: false,
}

async function read({ services: { vault }, params }: Cx): Promise<RoleRecord | undefined> {
  const name = params['role']!
  return NAME.test(name) ? (await vault.barrier.read(rolePath(name), RoleRecord))?.value : undefined
}

const isLike = (glob: string) => (name: string): boolean => {
  const parts = glob.split('*')
  if (parts.length === 1) return glob === name
  const [first, last] = [parts[0]!, parts.at(-1)!]
  if (!name.startsWith(first) || !name.endsWith(last) || name.length < first.length + last.length) return false
  let at = first.length
  const end = name.length - last.length
  return parts.slice(1, -1).every((part) => {
    const found = name.indexOf(part, at)
    at = found + part.length
    return found >= 0 && at <= end
  })
}

/** A role is an admin's word that its tokens may have these, whoever makes them. */
function roleOf(record: RoleRecord): Role {
  const { allowedPolicies, allowedGlob, disallowedPolicies, disallowedGlob, noDefaultPolicy } = record
  const isAllowed = (name: string): boolean => allowedPolicies.includes(name)
    || allowedGlob.some((glob) => isLike(glob)(name)) || (name === 'default' && !noDefaultPolicy)
  const isForbidden = (name: string): boolean => disallowedPolicies.includes(name)
    || disallowedGlob.some((glob) => isLike(glob)(name))
  const isBounded = allowedPolicies.length > 0 || allowedGlob.length > 0
  return {
    ...record,
    policiesFor(asked, own) {
      const wanted = asked.length > 0 ? asked.map(policyName) : isBounded ? allowedPolicies : own
      const bad = wanted.find((name) => isForbidden(name)
        || (isBounded ? !isAllowed(name) : name !== 'default' && !own.includes(name) && !own.includes('root')))
      if (bad !== undefined) throw badRequest(`token policies must be among those that the role allows: ${bad}`)
      return wanted
    },
  }
}

const told = (name: string, role: RoleRecord): object => ({
  name, allowed_policies: role.allowedPolicies, disallowed_policies: role.disallowedPolicies,
  allowed_policies_glob: role.allowedGlob, disallowed_policies_glob: role.disallowedGlob, orphan: role.orphan,
  renewable: role.renewable, path_suffix: role.pathSuffix, period: role.period, token_period: role.period,
  explicit_max_ttl: role.explicitMaxTtl, token_explicit_max_ttl: role.explicitMaxTtl,
  token_no_default_policy: role.noDefaultPolicy, token_type: 'default-service',
})

async function write(cx: Cx): Promise<undefined> {
  const { params, fields, services: { vault }, request: { data } } = cx
  const name = params['role']!
  if (!NAME.test(name)) throw badRequest('a role name has letters, digits, dots, underscores and hyphens')
  const before = await read(cx) ?? absent
  const pathSuffix = fields.text('path_suffix') ?? before.pathSuffix
  if (!SUFFIX.test(pathSuffix)) throw badRequest('path_suffix has letters, digits, dots, underscores and hyphens')
  if (!['', 'default', 'default-service', 'service'].includes(fields.text('token_type') ?? '')) {
    throw badRequest('only service tokens are here')
  }
  const life = (names: readonly string[], otherwise: number): number => {
    const given = names.find((each) => data[each] !== undefined)
    return given === undefined ? otherwise : secondsOf(data[given], given)
  }
  const { paths } = await vault.barrier.list(folder.roles, { limit: limits.vaultTokenRoles })
  if (paths.length >= limits.vaultTokenRoles && !paths.includes(rolePath(name))) {
    throw badRequest(`there are ${limits.vaultTokenRoles} roles, and may be no more`)
  }
  const value: RoleRecord = {
    allowedPolicies: [...fields.words('allowed_policies')?.map(policyName) ?? before.allowedPolicies],
    disallowedPolicies: [...fields.words('disallowed_policies')?.map(policyName) ?? before.disallowedPolicies],
    allowedGlob: [...fields.words('allowed_policies_glob') ?? before.allowedGlob],
    disallowedGlob: [...fields.words('disallowed_policies_glob') ?? before.disallowedGlob],
    orphan: fields.flag('orphan') ?? before.orphan, renewable: fields.flag('renewable') ?? before.renewable,
    pathSuffix, period: life(['token_period', 'period'], before.period),
    explicitMaxTtl: life(['token_explicit_max_ttl', 'explicit_max_ttl'], before.explicitMaxTtl),
    noDefaultPolicy: fields.flag('token_no_default_policy') ?? before.noDefaultPolicy,
  }
  await vault.barrier.commit([], [{ path: rolePath(name), value }])
}

export const roleRoutes: readonly Route[] = [
  {
    path: 'auth/token/roles',
    on: {
      async list({ services: { vault } }) {
        const { paths } = await vault.barrier.list(folder.roles, { limit: limits.vaultTokenRoles })
        if (paths.length === 0) throw nothingThere()
        return secret({ keys: paths.map((path) => path.slice(folder.roles.length)) })
      },
    },
  },
  {
    path: 'auth/token/roles/:role',
    on: {
      async read(cx) {
        const found = await read(cx)
        if (!found) throw nothingThere()
        return secret(told(cx.params['role']!, found))
      },
      update: write,
      async delete({ services: { vault }, params }) {
        const name = params['role']!
        if (NAME.test(name)) await vault.barrier.commit([], [{ path: rolePath(name), value: undefined }])
        return undefined
      },
    },
  },
  {
    path: 'auth/token/create/:role',
    on: {
      async update(cx) {
        const name = cx.params['role']!
        const found = await read(cx)
        if (!found) throw badRequest(`unknown role ${name}`)
        const path = ['auth/token/create', name, found.pathSuffix].filter(Boolean).join('/')
        return createToken(cx, { path, role: { ...roleOf(found), name } })
      },
    },
  },
]
