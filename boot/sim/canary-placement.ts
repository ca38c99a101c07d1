import { NodeDaemon } from '../../actors/node-daemon/protocol.ts'
import { Scheduler } from '../../actors/scheduler/protocol.ts'
import { SystemConfig } from '../../actors/system-config/protocol.ts'
import type { ActorDefinition, ActorStart } from '../../runtime/actor.ts'
import type { Client } from '../../runtime/protocol.ts'
import type { RunHooks } from './run.ts'

/** Planted defects of placement, for whoever checks the checks. */

type Change = (start: ActorStart) => Partial<ActorStart>

const changing = (hooks: RunHooks, actor: string, change: Change): RunHooks => ({
  ...hooks,
  change(name, given) {
    const definition = hooks.change ? hooks.change(name, given) : given
    if (name !== actor) return definition
    const start = (started: ActorStart) => definition.start({ ...started, ...change(started) })
    return { ...definition, start } as ActorDefinition
  },
})

/** What a node's daemon cannot read it takes to be as it was: it believes that it was answered now. */
export const blindFence = (hooks: RunHooks): RunHooks => changing(hooks, NodeDaemon.name, ({ needs }) => {
  const client = needs['systemConfig'] as unknown as Client<typeof SystemConfig>
  const known = new Map<string, Awaited<ReturnType<typeof client.get>>>()
  const get: typeof client.get = async (args, settings) => {
    try {
      const answer = await client.get(args, { ...settings, withinMs: READ_MS })
      known.set(args.key, answer)
      return answer
    } catch (error) {
      const before = known.get(args.key)
      if (before === undefined) throw error
      return before
    }
  }
  const systemConfig: Pick<Client<typeof SystemConfig>, 'get' | 'set' | 'dump' | 'dumpDigest' | 'watch'> = {
    get, set: (...args) => client.set(...args), dump: (...args) => client.dump(...args),
    dumpDigest: (...args) => client.dumpDigest(...args), watch: (...args) => client.watch(...args),
  }
  return { needs: { ...needs, systemConfig } as unknown as ActorStart['needs'] }
})
const READ_MS = 1_000

/** What hosts tell of their room is read with another digit. */
export const crowding = (hooks: RunHooks): RunHooks => changing(hooks, Scheduler.name, ({ needs }) => {
  const client = needs['systemConfig'] as unknown as Client<typeof SystemConfig>
  const dump: typeof client.dump = async (...args) => {
    const answer = await client.dump(...args)
    const items = answer.items.map((item) => (item.key.startsWith('devices/')
      ? { ...item, value: item.value.replace('"memoryBytes":1000}', '"memoryBytes":10000}')
        .replace('"memoryBytes":1000,', '"memoryBytes":10000,') } : item))
    return { ...answer, items }
  }
  type Used = 'get' | 'set' | 'dump' | 'execTx' | 'watch' | 'setByJsonPath' | 'lead' | 'resign'
  const systemConfig: Pick<Client<typeof SystemConfig>, Used> = {
    dump,
    get: (...args) => client.get(...args), set: (...args) => client.set(...args),
    execTx: (...args) => client.execTx(...args), watch: (...args) => client.watch(...args),
    setByJsonPath: (...args) => client.setByJsonPath(...args),
    lead: (...args) => client.lead(...args), resign: (...args) => client.resign(...args),
  }
  return { needs: { ...needs, systemConfig } as unknown as ActorStart['needs'] }
})
