import { NodeDaemon } from '../../actors/node-daemon/protocol.ts'
import { Scheduler } from '../../actors/scheduler/protocol.ts'
import { SystemConfig } from '../../actors/system-config/protocol.ts'
import type { ActorDefinition, ActorStart } from '../../runtime/actor.ts'
import type { Clock } from '../../runtime/platform/ports.ts'
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

const TIMES_SLOWER = 6

/** The time of a node's daemon passes more slowly than it does: it believes that it was answered a moment ago. */
export const slowFence = (hooks: RunHooks): RunHooks =>
  changing(hooks, NodeDaemon.name, ({ clock }) => ({ clock: slowClock(clock) }))

export function slowClock(clock: Clock): Clock {
  const began = clock.monotonic()
  return {
    now: () => clock.now(), soon: (task) => clock.soon(task), after: (ms, task) => clock.after(ms, task),
    monotonic: () => began + (clock.monotonic() - began) / TIMES_SLOWER,
  }
}

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
