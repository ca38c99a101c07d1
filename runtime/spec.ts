import type { ActorDefinition } from './actor.ts'
import type { Platform, SigningKey, WorkerPermissions } from './platform/ports.ts'
import type { Protocol } from './protocol.ts'
import type { RemoteActor } from './remote.ts'
import type { StoreLocation } from './store/location.ts'
import type { Trace } from './trace.ts'
import type { TrustedDevice } from './worker.ts'

/** An actor of the catalogue, under the name of its protocol. */
export interface ActorSpec {
  readonly protocol: Protocol
  readonly module: URL
  readonly runtimeType: string
  readonly env: Readonly<Record<string, string>>
  readonly secrets: Readonly<Record<string, string>>
  readonly permissions: WorkerPermissions
  /** Absolute folder of files that the actor alone writes; its worker needs the permission. */
  readonly files?: string
  /** Actors with the same thread name share one worker. Default: one of its own. */
  readonly thread: string
  /** Least protection of every link to it. Default: `sealed` where a method asks for it, else `mac`. */
  readonly minimum: 'mac' | 'sealed'
  /** Not started with the others, but by name. */
  readonly manual: boolean
  /** Has no worker before it is first started. */
  readonly lazy: boolean
  /** Carries links to other hosts, and from them: `ActorStart.carry` and `accept`. */
  readonly carries?: boolean
}

const asksForSealed = ({ methods }: Protocol): boolean => Object.values(methods).some(({ suite }) => suite === 'sealed')

/** An actor that runs in a worker. `module` has it as its default export. */
export function worker(
  protocol: Protocol, module: URL, options: Partial<Omit<ActorSpec, 'protocol' | 'module'>> = {},
): ActorSpec {
  return {
    protocol, module, runtimeType: 'service', env: {}, secrets: {}, permissions: {}, thread: protocol.name,
    minimum: asksForSealed(protocol) ? 'sealed' : 'mac', manual: false, lazy: false,
    ...options,
  }
}

export interface SupervisorOptions {
  readonly platform: Platform
  readonly zone: string
  readonly host: string
  readonly device: SigningKey
  /** Hosts that may link to this one from the start, itself among them; `trust` replaces them. */
  readonly devices: readonly TrustedDevice[]
  readonly trace: Trace
  /** Where the actors' stores lie; without it they are in memory. */
  readonly stores?: StoreLocation
  /** Actor names, and runtime types, that only an OOD may certify. */
  readonly kernelActors: readonly string[]
  readonly kernelRuntimeTypes?: readonly string[]
  /** Tell of every call served; costs an event a call. */
  readonly spans?: boolean
  /** What this supervisor serves to actors that declare it in their needs. */
  readonly offers?: ActorDefinition
  /** Where an actor is found that this host does not have. */
  readonly remote?: (protocol: string) => RemoteActor | undefined
  /** Milliseconds an actor may take to load, and to start. Default: `limits.startMs`. */
  readonly startMs?: number
}
