import { rfc3339 } from '../times.ts'
import { leftOf } from './lives.ts'
import type { Token } from './store.ts'

/** As `lookup` tells of a token. `id` is there for who has shown the token itself. */
export function told({ record }: Token, id: string, now: number): object {
  const { createdAt, expiresAt, renewedAt, period, role } = record
  return {
    accessor: record.accessor, creation_time: Math.floor(createdAt / 1_000), creation_ttl: record.creationTtl,
    display_name: record.displayName, entity_id: '', expire_time: expiresAt === 0 ? null : rfc3339(expiresAt),
    explicit_max_ttl: record.explicitMaxTtl, id,
    ...(expiresAt === 0 ? {} : { issue_time: rfc3339(createdAt) }),
    ...(renewedAt === undefined ? {} : {
      last_renewal: rfc3339(renewedAt), last_renewal_time: Math.floor(renewedAt / 1_000),
    }),
    meta: record.meta ?? null, num_uses: Math.max(0, record.numUses), orphan: record.parent === undefined,
    path: record.path, ...(period === 0 ? {} : { period }), policies: record.policies, renewable: record.renewable,
    ...(role === undefined ? {} : { role }), ttl: leftOf(record, now), type: 'service',
  }
}

/** The `auth` of an envelope. */
export function authOf({ record }: Token, token: string, now: number): object {
  return {
    client_token: token, accessor: record.accessor, policies: record.policies, token_policies: record.policies,
    metadata: record.meta ?? null, lease_duration: leftOf(record, now), renewable: record.renewable, entity_id: '',
    token_type: 'service', orphan: record.parent === undefined, mfa_requirement: null,
    num_uses: Math.max(0, record.numUses),
  }
}
