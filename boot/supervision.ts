import { NodeDaemon } from '../actors/node-daemon/protocol.ts'
import { actor, type ActorDefinition, type Peer } from '../runtime/actor.ts'
import { Denied, InvalidArgument, NotFound, StartFailed } from '../runtime/errors.ts'
import { limits } from '../runtime/limits.ts'
import type { Hook } from '../runtime/process/hook.ts'
import type { Processes } from '../runtime/process/processes.ts'
import type { Platform } from '../runtime/platform/ports.ts'
import type { Infer } from '../runtime/protocol.ts'
import { Supervision, type HostState, type MachineState, type ServiceStart } from '../runtime/supervision.ts'
import type { Supervisor } from '../runtime/supervisor.ts'
import type { ActorEvent } from '../runtime/trace.ts'
import type { TrustedDevice } from '../runtime/worker.ts'
import type { Cluster } from './cluster.ts'
import type { KnownHosts } from './known-hosts.ts'
import type { Migrations } from './migrate/migrations.ts'
import type { Observer } from './observe/observer.ts'

/** What a host runs. */
export interface Managed {
  readonly supervisor: () => Supervisor
  readonly processes: Processes
  /** What the daemon may start and stop: nothing of the control plane. */
  readonly managed: (name: string) => boolean
  /** What each was last started from. */
  readonly versions: Map<string, string>
}

/** One host, as its supervision is made from. */
export interface HostParts extends Managed {
  readonly host: string
  readonly cluster: Cluster
  readonly observer: Observer
  readonly knownHosts: KnownHosts
  readonly platform: Pick<Platform, 'host'>
  /** Of the zone's files. */
  readonly folder: string
  /** Where people reach it by HTTP, as configured. */
  readonly hostname: string
  /** Of the host with the control plane. */
  readonly migrations?: Migrations
  /** The program that is asked about joins, where there is one. */
  readonly joinHook?: Hook | undefined
  /** From now on these hosts may link. */
  readonly trust: (devices: readonly TrustedDevice[]) => void
}

/** The supervisor as its host's actors see it: the daemon alone starts and stops, and nothing of the control plane. */
export function supervisionOf(parts: HostParts): ActorDefinition {
  const { host, processes, cluster, observer, managed, versions, knownHosts, trust } = parts
  const onlyDaemon = ({ actor: name }: Peer, what: string): void => {
    if (name !== 'node-daemon')
      throw new Denied(`Only the node daemon may ${what}`, { reason: 'supervision/not-node-daemon' })
  }
  const onlyManaged = (name: string): void => {
    if (!managed(name))
      throw new Denied(`The node daemon does not manage this actor: ${name}`, { reason: 'supervision/not-managed' })
  }
  const startOne = async ({ name, env, version, program }: ServiceStart): Promise<void> => {
    versions.set(name, version ?? '')
    if (program) await processes.start(name, program, environments(parts, name, env))
    else await parts.supervisor().start(name, { env })
  }
  const list = () => actorsOf(parts)
  /** Documents of devices that come in parts. */
  let told: Record<string, string> = {}
  return actor(Supervision, {}, () => ({
    handlers: {
      async start({ actors }, { peer }) {
        onlyDaemon(peer, 'start actors')
        for (const { name } of actors) onlyManaged(name)
        assertDistinct(parts, actors)
        await allStarted(actors, startOne)
        const incarnations = new Map(list().map(({ name, incarnation }) => [name, incarnation]))
        return actors.map(({ name }) => ({ name, incarnation: incarnations.get(name) ?? 0 }))
      },
      async stop({ name }, { peer }) {
        onlyDaemon(peer, 'stop actors')
        onlyManaged(name)
        if (!isProcess(processes, name)) return [...(await parts.supervisor().stop(name))]
        await processes.stop(name)
        return [name]
      },
      list,
      steps: () => parts.supervisor().steps().map(({ sequence, number, host: at, actor: name, at: time, evidence }) =>
        ({ sequence, number, host: at, actor: name, at: time, evidence: { ...evidence } })),
      async joinHook({ question }, { peer }) {
        onlyDaemon(peer, 'ask about joins')
        return await parts.joinHook?.(question) ?? { allowed: false, said: 'there is no hook' }
      },
      devices({ documents, offset = 0, more = false }, { peer }) {
        onlyDaemon(peer, 'say which hosts there are')
        // A daemon that starts anew begins anew
        if (offset === 0) told = {}
        if (offset !== Object.keys(told).length) throw new InvalidArgument('Documents that come before are missing')
        Object.assign(told, documents)
        if (more) return { digest: '' }
        const { devices, digest } = knownHosts.read(told)
        told = {}
        trust(devices)
        return { digest }
      },
      devicesChanged({ from, put, gone }, { peer }) {
        onlyDaemon(peer, 'say which hosts there are')
        const changed = knownHosts.change(from, put, gone)
        if (changed) trust(changed.devices)
        return { digest: changed?.digest ?? null }
      },
      devicesBefore({ digest }, { peer }) {
        onlyDaemon(peer, 'say which hosts there are')
        const devices = knownHosts.before(digest)
        if (devices) trust(devices)
        return { known: devices !== undefined }
      },
      hosts: () => [...cluster.hosts()],
      machine: () => machineState(parts),
      async kill({ host: which, actor: name }, { peer }) {
        onlyDaemon(peer, 'kill')
        await cluster.kill(which, name)
        return {}
      },
      logs: (query, { peer, signal }) => {
        onlyDaemon(peer, 'read logs')
        return observer.logs(query, signal)
      },
      denial({ id }, { peer }) {
        onlyDaemon(peer, 'read denials')
        const found = observer.denial(id)
        return found ? { ...found, chain: found.chain.map((entry) => ({ ...entry })) } : null
      },
      migrate(_, { peer }) {
        onlyDaemon(peer, 'move stores')
        return migrationsOf(parts).start()
      },
      async migration(_, { peer }) {
        onlyDaemon(peer, 'ask where stores are')
        return await migrationsOf(parts).now() ?? null
      },
      migrationPlan(_, { peer }) {
        onlyDaemon(peer, 'move stores')
        return migrationsOf(parts).plan()
      },
      metrics: async () => ({ text: await observer.metrics() }),
    },
    lifecycle: { admit: (peer: Peer) => peer.host === host && ['node-daemon', 'gateway'].includes(peer.actor) },
  })) as unknown as ActorDefinition
}

/** One that serves one address only has no other; one that serves all has those of its machine. */
async function machineState({ platform: { host }, folder, hostname }: HostParts): Promise<Infer<typeof MachineState>> {
  const { addresses, ...rest } = await host.machine.condition(folder)
  const isAny = hostname === '0.0.0.0' || hostname === '::'
  const one = isAny || hostname === 'localhost' ? '127.0.0.1' : hostname
  return { runtime: host.runtime, ...rest, addresses: isAny && addresses.length > 0 ? [...addresses] : [one] }
}

/** @throws NotFound on a node: its stores stay where they are */
function migrationsOf({ host, migrations }: HostParts): Migrations {
  if (migrations) return migrations
  throw new NotFound(`It is no host of the control plane: ${host}`, { host })
}

/** What came with the call is for one start: its tokens are good once. The daemon makes another for each one after. */
function environments(
  { supervisor }: HostParts, name: string, first: ServiceStart['env'],
): () => Promise<ServiceStart['env']> {
  let given: ServiceStart['env'] | undefined = first
  return async () => {
    const env = given ?? await supervisor().get(NodeDaemon).environment({ name })
    given = undefined
    return env
  }
}

/** One that fails does not keep the others from being told of; the first failure is what the daemon is told. */
async function allStarted(actors: readonly ServiceStart[], startOne: (one: ServiceStart) => Promise<void>) {
  const outcomes = await Promise.allSettled(actors.map(startOne))
  const failure = outcomes.find((outcome) => outcome.status === 'rejected')
  if (failure) throw failure.reason
}

const isProcess = (processes: Processes, name: string): boolean => processes.list().some((each) => each.name === name)

/** A process must not take the name of an actor of the catalogue: each is known by it. */
function assertDistinct({ supervisor }: HostParts, actors: readonly ServiceStart[]): void {
  const names = new Set(supervisor().list().map(({ name }) => name))
  const taken = actors.find(({ name, program }) => program && names.has(name))
  if (taken) throw new StartFailed(`A service that ships with Zonewright has this name: ${taken.name}`)
}

const shown = (state: ActorEvent['state']) => (state === 'died' ? 'restarting' as const : state)

export function actorsOf({ supervisor, processes, managed, versions }: Managed): HostState['actors'] {
  const one = (kind: 'worker' | 'process', processId: number | null) =>
    ({ name, state, incarnation, reason, restarts, since }: ReturnType<Supervisor['list']>[number]) => ({
      name, kind, state: shown(state), incarnation, reason: reason.slice(0, limits.logLine), restarts, since,
      managed: managed(name), version: versions.get(name) ?? '', processId,
    })
  return [
    ...supervisor().list().map(one('worker', null)),
    ...processes.list().map((each) => one('process', each.processId ?? null)(each)),
  ]
}
