import type { HostTold } from '../../actors/enrolment/protocol.ts'
import { Vault } from '../../actors/vault/protocol.ts'
import type { ActorDefinition, Serving } from '../../runtime/actor.ts'
import type { Protocol } from '../../runtime/protocol.ts'
import type { RunHooks } from './run.ts'

type Handler = (args: unknown, context: unknown) => unknown
type Handlers = Record<string, Handler>

/** Plants a defect of the vault: it answers that a host is revoked, and keeps it. */
export const sparing = (hooks: RunHooks): RunHooks => ({
  ...hooks,
  change(name, given) {
    const definition = hooks.change ? hooks.change(name, given) : given
    return name === Vault.name ? changedHandlers(definition, (handlers) => ({
      ...handlers,
      async revokeHost(args, context) {
        const host = await handlers['joinedHost']!(args, context) as HostTold
        return { ...host, revokedAt: host.joinedAt }
      },
    })) : definition
  },
})

/** The same actor, whose methods are these. */
export const changedHandlers = (
  definition: ActorDefinition, change: (handlers: Handlers) => Handlers,
): ActorDefinition => ({
  ...definition,
  async start(start) {
    const serving = await definition.start(start) as unknown as { handlers: Handlers; lifecycle: object }
    return { ...serving, handlers: change(serving.handlers) } as unknown as Serving<Protocol, {}>
  },
})
