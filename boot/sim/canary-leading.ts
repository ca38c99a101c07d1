import { Fenced, SystemConfig } from '../../actors/system-config/protocol.ts'
import { changedHandlers } from './canary-hosts.ts'
import type { RunHooks } from './run.ts'

/** Planted defects of leading, for whoever checks the checks. */

/** system-config tells each that asks that it leads, by the term that there is. */
export const sharedTerms = (hooks: RunHooks): RunHooks => changing(hooks, (handlers) => ({
  ...handlers, lead: async (args, context) => ({ ...await handlers['lead']!(args, context) as object, leads: true }),
}))

/** system-config takes writes of a term that is over, whatever has come since. */
export const openTerms = (hooks: RunHooks): RunHooks => changing(hooks, (handlers) => ({
  ...handlers,
  async execTx(args, context) {
    try {
      return await handlers['execTx']!(args, context)
    } catch (error) {
      if (!(error instanceof Fenced)) throw error
      return handlers['execTx']!({ ...args as object, fence: undefined, mainKey: undefined }, context)
    }
  },
}))

const changing = (hooks: RunHooks, change: Parameters<typeof changedHandlers>[1]): RunHooks => ({
  ...hooks,
  change(name, given) {
    const definition = hooks.change ? hooks.change(name, given) : given
    return name === SystemConfig.name ? changedHandlers(definition, change) : definition
  },
})
