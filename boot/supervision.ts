import { actor, type ActorDefinition, type Peer } from '../runtime/actor.ts'
import { Denied } from '../runtime/errors.ts'
import { Supervision } from '../runtime/supervision.ts'
import type { Supervisor } from '../runtime/supervisor.ts'

/** The supervisor as its host's actors see it: the daemon alone starts and stops, and nothing of the control plane. */
export function supervisionOf(
  host: string,
  supervisor: () => Supervisor,
  managed: (name: string) => boolean,
): ActorDefinition {
  const onlyDaemon = ({ actor: name }: Peer, what: string): void => {
    if (name !== 'node-daemon')
      throw new Denied(`Only the node daemon may ${what}`, { reason: 'supervision/not-node-daemon' })
  }
  const onlyManaged = (name: string): void => {
    if (!managed(name))
      throw new Denied(`The node daemon does not manage this actor: ${name}`, { reason: 'supervision/not-managed' })
  }
  return actor(Supervision, {}, () => ({
    handlers: {
      async start({ actors }, { peer }) {
        onlyDaemon(peer, 'start actors')
        for (const { name } of actors) onlyManaged(name)
        await supervisor().startMany(actors)
        const states = new Map(
          supervisor()
            .list()
            .map(({ name, incarnation }) => [name, incarnation]),
        )
        return actors.map(({ name }) => ({ name, incarnation: states.get(name) ?? 0 }))
      },
      async stop({ name }, { peer }) {
        onlyDaemon(peer, 'stop actors')
        onlyManaged(name)
        return [...(await supervisor().stop(name))]
      },
      list: () =>
        supervisor()
          .list()
          .map((each) => ({
            ...each,
            state: each.state === 'died' ? ('restarting' as const) : each.state,
            managed: managed(each.name),
          })),
      steps: () =>
        supervisor()
          .steps()
          .map(({ sequence, number, host: at, actor: name, at: time, evidence }) => ({
            sequence,
            number,
            host: at,
            actor: name,
            at: time,
            evidence: { ...evidence },
          })),
    },
    lifecycle: { admit: (peer: Peer) => peer.host === host && ['node-daemon', 'gateway'].includes(peer.actor) },
  })) as unknown as ActorDefinition
}
