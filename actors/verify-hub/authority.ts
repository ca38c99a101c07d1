import type { ActorStart } from '../../runtime/actor.ts'
import { allowedBy } from '../../runtime/trust/denial.ts'
import { createAccess } from '../rbac/access.ts'
import type { Operation } from '../rbac/policy.ts'
import { kv } from '../records.ts'
import type { Asker } from './asker.ts'
import type { Config, Zone } from './zone.ts'

/** What the policy says of verify-hub's own resources, `auth://…`. */
export interface Authority {
  /** @throws Denied, with the chain kept for `explain` */
  demand(asker: Asker, act: Operation, resource: string): Promise<void>
  allows(asker: Asker, act: Operation, resource: string): Promise<boolean>
}

interface Parts {
  readonly zone: Zone
  readonly config: Config
  readonly denials: ActorStart['denials']
}

/**
 * The policy is read for each question, as all else is here that may have changed; a text that was read before is not
 * parsed again.
 */
export function createAuthority({ zone, config, denials }: Parts): Authority {
  const access = createAccess()
  const decide = async ({ principal }: Asker, act: Operation, resource: string) => {
    const [model = '', policy = ''] = await zone.read(config, kv.model, kv.policy)
    const { rules } = access
    if (model !== rules.model || policy !== rules.policy) await access.replace({ model, policy })
    return access.decide({ ...principal, root: false }, act, resource)
  }
  return {
    async demand(asker, act, resource) {
      const decision = await decide(asker, act, resource)
      if (decision.allowed) return
      throw denials.denied([
        allowedBy('link', 'link/verify-hub'), allowedBy('token', asker.rule), ...decision.chain,
      ])
    },
    allows: async (asker, act, resource) => (await decide(asker, act, resource)).allowed,
  }
}
