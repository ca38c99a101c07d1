import { SystemConfig } from '../../actors/system-config/protocol.ts'
import { actor } from '../../runtime/actor.ts'
import { InOrder } from './payload.ts'
import type { watchers } from './protocol.ts'

/** Needs the writer's actor for nothing but `system-config`: its link is its own. */
export const watcherActor = (protocol: (typeof watchers)[number]) =>
  actor(protocol, { needs: { kv: SystemConfig }, stateless: true }, ({ needs: { kv }, background }) => {
    const open: InOrder[] = []
    return {
      open({ folder, watches, after, token }) {
        for (let index = 0; index < watches; index++) {
          const view = new InOrder()
          open.push(view)
          background(async () => {
            for await (const { value } of kv.watch({ prefix: `${folder}/`, after }, { token })) view.take(value)
          })
        }
        return {}
      },
      async seen({ writes }) {
        await Promise.all(open.map((view) => view.until(writes)))
        return {}
      },
    }
  })
