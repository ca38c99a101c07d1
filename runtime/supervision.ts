import { Migration, MigrationPlan } from './migration.ts'
import {
  array, boolean, call, integer, minValue, number, nullable, object, optional, picklist, pipe, protocol, record, stream,
  string, unknown, type Infer,
} from './protocol.ts'

const count = pipe(number(), integer())
const atLeastOne = pipe(number(), integer(), minValue(1))

export const ActorState = object({
  name: string(),
  kind: picklist(['worker', 'process']),
  state: picklist(['starting', 'serving', 'stopping', 'stopped', 'restarting', 'failed']),
  incarnation: count,
  /** Why it is in this state; empty when it serves. */
  reason: string(),
  /** Deaths that it came back from, or is to, since its host started. */
  restarts: count,
  /** Since when it is in this state, in epoch milliseconds; 0 where it was in no other. */
  since: number(),
  /** Whether it may be started and stopped here; what manages the host itself may not. */
  managed: boolean(),
  /** What it was started from: the `version` of its last start, empty where that had none. */
  version: string(),
  /** Operating system process, of a process that runs. */
  processId: nullable(count),
})

/** A host that this process runs. */
export const HostState = object({
  host: string(),
  role: picklist(['ood', 'node']),
  state: picklist(['starting', 'serving', 'restarting', 'failed', 'stopped']),
  reason: string(),
  /** How often it was started in this process. */
  starts: count,
  actors: array(ActorState),
})
export type HostState = Infer<typeof HostState>

/** How to run a service that is a process. */
export const ProcessStart = object({
  command: array(string()),
  health: nullable(object({ port: atLeastOne, path: string(), everyMs: atLeastOne, startMs: atLeastOne })),
  stopMs: atLeastOne,
})
export type ProcessStart = Infer<typeof ProcessStart>

export const ServiceStart = object({
  name: string(),
  env: record(string(), string()),
  /** Told in `list`, so that a change of it can be seen. */
  version: optional(string()),
  /** Without it, a worker of the catalogue. */
  program: optional(ProcessStart),
})
export type ServiceStart = Infer<typeof ServiceStart>

/** Of the machine that a host runs on. */
export const MachineState = object({
  runtime: string(), processors: count, load: count, memoryBytes: count, memoryFreeBytes: count, diskBytes: count,
  diskFreeBytes: count,
  /** At which the host is reached. */
  addresses: array(string()),
})

export const LogLine = object({
  /** Grows by one from line to line of this process of the zone. */
  sequence: count,
  /** Epoch milliseconds. */
  at: number(),
  host: string(),
  actor: string(),
  level: picklist(['info', 'warn', 'error']),
  message: string(),
  fields: record(string(), unknown()),
})
export type LogLine = Infer<typeof LogLine>

/** What the supervisor of a host offers: services to its daemon, and to people, by way of the daemon, all hosts. */
export const Supervision = protocol('supervision', {
  /** Starts them, each after what it needs and with this ENV; settles when all serve. */
  start: call(
    object({ actors: array(ServiceStart) }), array(object({ name: string(), incarnation: count })),
    { concurrent: 16, suite: 'sealed' },
  ),
  /** Stops it and what needs it; answers with their names. */
  stop: call(object({ name: string() }), array(string()), { concurrent: 16 }),
  list: call(object({}), array(ActorState), { concurrent: 8 }),
  /** The documented steps seen so far, in order of arrival. */
  steps: call(object({}), array(object({
    sequence: string(), number: count, host: string(), actor: string(), at: number(),
    evidence: record(string(), unknown()),
  })), { concurrent: 8 }),
  /** Asks the program that this host's own file names about a join; without one nobody joins by it. */
  joinHook: call(
    object({ question: string() }), object({ allowed: boolean(), said: string() }), { concurrent: 8 },
  ),
  /**
   * The registered device documents, by the keys under which they lie in `kv://`: from now on these hosts and no others
   * may link. Answers with the digest of the documents.
   */
  devices: call(object({
    documents: record(string(), string()),
    /** Of documents in parts: how many came before, and that others follow. Nothing changes until the last. */
    offset: optional(count), more: optional(boolean()),
  }), object({ digest: string() }), { concurrent: 8 }),
  /** As `devices`, by what is other than in the documents of that digest; null where those are not remembered. */
  devicesChanged: call(
    object({ from: string(), put: record(string(), string()), gone: array(string()) }),
    object({ digest: nullable(string()) }), { concurrent: 8 },
  ),
  /** As `devices`, by that digest: false where this process has not had these documents, or not lately. */
  devicesBefore: call(object({ digest: string() }), object({ known: boolean() }), { concurrent: 8 }),
  hosts: call(object({}), array(HostState), { concurrent: 8 }),
  machine: call(object({}), MachineState, { concurrent: 2 }),
  /** Ends a host, or one actor of it, at once, as a crash would; the restart rules do the rest. */
  kill: call(object({ host: string(), actor: optional(string()) }), object({}), { concurrent: 8 }),
  /** Lines after `after`; the last `tail` of those that are kept already, then, with `follow`, what comes. */
  logs: stream(object({
    host: optional(string()), actor: optional(string()), after: optional(count), tail: count, follow: boolean(),
  }), LogLine),
  /** A denial of the last ones, by the id that the refused caller was given. */
  denial: call(object({ id: string() }), nullable(object({
    id: string(), at: number(), host: string(), actor: string(),
    chain: array(object({
      layer: string(), verdict: string(), rule: string(), reason: optional(string()), detail: optional(string()),
    })),
  })), { concurrent: 8 }),
  /** Moves the stores of this host into the etcd of its config while they are used; answers when that has begun. */
  migrate: call(object({}), Migration, { concurrent: 2 }),
  /** How far that is, or what became of the last one; null where nothing was ever moved. */
  migration: call(object({}), nullable(Migration), { concurrent: 8 }),
  /** What it would do. Changes nothing. */
  migrationPlan: call(object({}), MigrationPlan, { concurrent: 2 }),
  /** Prometheus text exposition format, version 0.0.4. */
  metrics: call(object({}), object({ text: string() }), { concurrent: 2 }),
})
