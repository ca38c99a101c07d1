import { limits } from '../../../../runtime/limits.ts'
import { badRequest, forbidden, secret, type Answer } from '../answer.ts'
import { policyName } from '../policies/store.ts'
import type { Cx } from '../route.ts'
import { secondsOf } from '../times.ts'
import { lifeOf } from './lives.ts'
import type { Role } from './roles.ts'
import { authOf } from './told.ts'

const DISPLAY = /[^A-Za-z0-9-]+/g

export interface CreateOptions {
  readonly path: string
  /** The route itself makes orphans. */
  readonly orphan?: boolean
  readonly role?: Role & { readonly name: string }
}

/**
 * A token for who may make one. It may do no more than who made it, unless a role says otherwise: `sudo` on the path
 * lets it choose its id, its period, and to outlive its parent, and nothing more.
 */
export async function createToken(cx: Cx, { path, orphan = false, role }: CreateOptions): Promise<Answer> {
  const { fields, holder, services: { tokens, clock }, request: { data } } = cx
  const { record: own, acl } = holder
  const isSudo = acl.root || acl.capabilities(path).has('sudo')
  if (own.numUses !== 0) throw badRequest('restricted use token cannot generate child tokens')
  if (!['', 'default', 'service'].includes(fields.text('type') ?? '')) throw badRequest('only service tokens are here')
  const noParent = role ? role.orphan : fields.flag('no_parent') === true
  const id = fields.text('id')
  if (noParent && !role && !isSudo) throw forbidden('root or sudo privileges required to create orphan token')
  if (id !== undefined && id !== '' && !isSudo) throw forbidden('root or sudo privileges required to specify token id')

  const askedPeriod = secondsOf(data['period'], 'period')
  if (askedPeriod > 0 && !isSudo) throw forbidden('root or sudo privileges required to create periodic token')
  const policies = role ? role.policiesFor(fields.words('policies') ?? [], own.policies)
    : policiesFor(fields.words('policies') ?? [], own.policies)
  const withDefault = !(role?.noDefaultPolicy ?? false) && fields.flag('no_default_policy') !== true
  const all = [...new Set([...policies, ...(withDefault && !policies.includes('root') ? ['default'] : [])])].sort()
  if (all.length === 0) throw badRequest('token must have at least one policy')
  if (all.length > limits.vaultHttpWords) throw badRequest(`a token has at most ${limits.vaultHttpWords} policies`)
  // Whom a role lets through is still not let through to everything
  if (all.includes('root') && !own.policies.includes('root')) {
    throw badRequest('root tokens may not be created without parent token being root')
  }

  const now = clock.now()
  const least = (...bounds: readonly number[]): number => Math.min(...bounds.map((bound) => bound || Infinity))
  const explicit = least(secondsOf(data['explicit_max_ttl'], 'explicit_max_ttl'), role?.explicitMaxTtl ?? 0)
  const explicitMaxTtl = explicit === Infinity ? 0 : explicit
  const period = role?.period || askedPeriod
  const asked = secondsOf(data['ttl'] ?? data['lease'], 'ttl')
  const life = lifeOf({ explicitMaxTtl, period, createdAt: now }, asked, now)
  const endless = all.includes('root') && asked === 0 && period === 0 && explicitMaxTtl === 0
  if (endless && own.expiresAt !== 0) throw badRequest('expiring root tokens cannot create non-expiring root tokens')
  const ttl = endless ? 0 : life
  const warnings = !endless && asked > life
    ? [`TTL of ${asked} s exceeded what it may be, and is ${life} s`] : []
  const displayName = (fields.text('display_name') ?? '').replace(DISPLAY, '-').replace(/-+$/, '').slice(0, 128)
  const created = await tokens.create({
    policies: all, meta: fields.texts('meta') ?? undefined, path, ttl, explicitMaxTtl, period,
    displayName: ['token', displayName, role?.pathSuffix].filter(Boolean).join('-'),
    renewable: !endless && (role?.renewable ?? true) && fields.flag('renewable') !== false,
    numUses: fields.whole('num_uses', { max: limits.vaultTokenUses }) ?? 0,
    ...(role ? { role: role.name } : {}),
    parent: orphan || noParent ? undefined : holder, id: id || undefined,
  })
  if (!created) throw forbidden()
  return secret(null, { auth: authOf(created, created.token, now), warnings })
}

/** What was asked for when the holder has it, else all that the holder has. */
function policiesFor(asked: readonly string[], own: readonly string[]): readonly string[] {
  if (asked.length === 0) return own
  const wanted = asked.map(policyName)
  const more = wanted.filter((name) => name !== 'default' && !own.includes(name))
  if (more.length > 0 && !own.includes('root')) throw badRequest('child policies must be subset of parent')
  return wanted
}
