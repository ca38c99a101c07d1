import { safeParse } from 'valibot'
import { defineError } from '../runtime/errors.ts'
import { limits } from '../runtime/limits.ts'
import type { Keys } from '../runtime/platform/ports.ts'
import {
  array, boolean, integer, maxEntries, maxLength, minValue, nullable, number, object, optional, picklist, pipe, record,
  regex, string, type Infer, type Schema,
} from '../runtime/protocol.ts'
import { ActorState } from '../runtime/supervision.ts'
import { toBase64url } from '../runtime/trust/base64url.ts'
import { PublicKey } from './system-config/protocol.ts'

/**
 * What lies under the keys of `kv://` that more than one actor reads. Values are JSON text, save device documents;
 * `readRecord` is their edge.
 */

/** A value in `kv://` that is not what its key promises. `details.key` names it. */
export const RecordInvalid = defineError('RecordInvalid')

const count = pipe(number(), integer(), minValue(0))
/** One segment of a key, and none that keys cannot have: hosts, services and users are named alike. */
const NAME = /^(?!(?:constructor|prototype)$)[a-z0-9][a-z0-9_-]{0,62}$/
export const Name = pipe(string(), regex(NAME))
export const isName = (text: string): boolean => NAME.test(text)

export const RuntimeType = picklist(['ood', 'kernel-service', 'node', 'service', 'user', 'client-device', 'gateway'])
export type RuntimeType = Infer<typeof RuntimeType>

const milliseconds = pipe(number(), integer(), minValue(1))
const text = pipe(string(), regex(/^[^\0]*$/))

/** A service that is a program of its own. A host runs only what its own `zone.yaml` allows (`processes.allow`). */
export const ProcessRun = object({
  /** Absolute path of the program, then its arguments; no shell reads them. */
  command: array(text),
  /** Beside the documented names, which it cannot change. */
  env: optional(record(pipe(string(), regex(/^[A-Za-z_][A-Za-z0-9_]*$/)), text)),
  /** How it is known to serve: without this, that it runs. */
  health: optional(object({
    /** On loopback; a status from 200 to 399 is healthy. */
    http: object({ port: pipe(number(), integer(), minValue(1)), path: string() }),
    /** Defaults are `limits.healthMs`, `limits.healthStartMs`. */
    everyMs: optional(milliseconds),
    /** From its start until it must be healthy for the first time. */
    startMs: optional(milliseconds),
  })),
  /** From SIGTERM to SIGKILL; default `limits.stopMs`. */
  stopMs: optional(milliseconds),
})
export type ProcessRun = Infer<typeof ProcessRun>

/** What tells hosts apart beside their names: `disk: ssd`, `zone: cellar`. */
const LABEL = /^[a-z0-9][a-z0-9._/-]{0,62}$/
const LabelName = pipe(string(), regex(LABEL))
export const Labels = pipe(
  record(LabelName, pipe(string(), regex(/^[A-Za-z0-9._-]{0,63}$/))), maxEntries(limits.labels),
)
export type Labels = Infer<typeof Labels>

/** Of what a host has, or a service takes. */
export const Resources = object({
  memoryBytes: optional(count),
  /** In hundredths of a processor: 150 is one and a half. */
  processors: optional(count),
})
export type Resources = Infer<typeof Resources>

/** `services/{name}/spec`: what should run. Written by whoever installs the service. */
export const ServiceSpec = object({
  name: Name,
  appid: Name,
  /** The user that an app service acts for; null for the system's own. */
  owner: nullable(Name),
  runtimeType: RuntimeType,
  /** Runs on OODs only, and may hold a kernel name. */
  kernel: boolean(),
  /** Audiences beside its own that its sessions may ask for. */
  audiences: array(Name),
  needs: optional(array(Name)),
  /**
   * Hosts it should run on at the same time; when it does not say, one, and for a kernel service every OOD. 0 for an
   * app that only people use.
   */
  replicas: optional(count),
  /** What one replica takes of its host: it is placed where so much is left, or nowhere. */
  resources: optional(Resources),
  /** Its hosts have all of these. */
  labels: optional(Labels),
  /** A label over whose values the replicas are spread, as evenly as there is room. */
  spread: optional(LabelName),
  /** What it has written lies on its host: it is never started on another one while that one is of the zone. */
  stateful: optional(boolean()),
  /** Running when it does not say. */
  state: optional(picklist(['running', 'stopped'])),
  /** Raised to restart it everywhere: any change of a spec replaces what runs of it. */
  generation: optional(count),
  /** Without it, a worker of the catalogue. */
  run: optional(ProcessRun),
  /** Where it answers HTTP on loopback of its host: the gateway hands on what a session for this app asks. */
  http: optional(object({
    port: pipe(number(), integer(), minValue(1)),
    /** Declared when it is installed: whoever comes is let through, without a session and without a token. */
    public: optional(boolean()),
  })),
})
export type ServiceSpec = Infer<typeof ServiceSpec>

/** A spec is told apart from its predecessor by its content: the same text is the same spec on every store. */
export function specRevision(text: string): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193) >>> 0
  return hash
}

/** `nodes/{host}/config`: what one host runs. Written by the scheduler only. */
export const NodeConfig = object({
  host: Name,
  state: picklist(['running', 'draining', 'stopped']),
  services: record(Name, object({
    target: picklist(['running', 'stopped']),
    /** Revision of the spec that this was made from. */
    specRevision: count,
  })),
  /** How it is to tell of itself, where somebody wants to know: `devices/{host}/info`. */
  report: optional(picklist(['changes', 'regularly'])),
})
export type NodeConfig = Infer<typeof NodeConfig>

/**
 * `typ` of the compact JWS that lies under `devices/{host}/doc` (`signDocument`): the owner key signs it, or for a node
 * that joined the zone's enrolment key. `readDeviceBy` is the one that judges it.
 */
export const deviceDocumentType = 'zw-device+jws'

/** `typ` of what lies under `system/enrolment/{ood}`: that OOD's device key signs it. */
export const enrolmentCertificateType = 'zw-enrolment+jws'

/** Its payload: with this key the zone registers hosts that join. */
export const EnrolmentCertificate = object({ zone: string(), host: Name, key: PublicKey, iat: count })
export type EnrolmentCertificate = Infer<typeof EnrolmentCertificate>

/** A client device runs nothing of the zone: it opens tunnels, and is a host in no other sense. */
export const DeviceRole = picklist(['ood', 'node', 'client-device'])
export type DeviceRole = Infer<typeof DeviceRole>

/** For which the enrolment key may sign documents; an OOD is what the owner has signed. */
export const EnrolledRole = picklist(['node', 'client-device'])
export type EnrolledRole = Infer<typeof EnrolledRole>

/** Its payload. */
export const DeviceDocument = object({
  zone: string(),
  name: Name,
  role: DeviceRole,
  key: PublicKey,
  /** The user the device belongs to. */
  owner: Name,
  iat: count,
  /**
   * What it stands by where the enrolment key signed it, so that whoever knows the owner key can judge it: the document
   * of an OOD, by the owner, and the `EnrolmentCertificate` of that OOD. None in one that the owner signed.
   */
  enrolment: optional(object({ ood: string(), certificate: string() })),
})
export type DeviceDocument = Infer<typeof DeviceDocument>

/** `devices/{host}/info`: what a host tells of itself, written by its node daemon while somebody wants to know. */
export const DeviceInfo = object({
  name: Name,
  /** At which it is reached: IPv4 and IPv6. */
  addresses: array(string()),
  /** 'node 20.20.2' */
  runtime: string(),
  processors: count,
  /** Of the last minute, in hundredths of a processor. */
  load: count,
  memoryBytes: count, memoryFreeBytes: count,
  /** Of the file system that holds the zone's folder. */
  diskBytes: count, diskFreeBytes: count,
  /** As its config says; none where that says nothing. */
  labels: optional(Labels),
  /** What services may take together; all that it has where its config says nothing. */
  capacity: optional(Resources),
  /** What runs there: whoever looks from another machine learns it from here alone. */
  actors: optional(pipe(array(ActorState), maxLength(limits.reportActors))),
  /** Grows with every report of one start of the daemon, which `incarnation` numbers. */
  report: count, incarnation: count,
})
export type DeviceInfo = Infer<typeof DeviceInfo>

/** `system/hosts/{host}`: whether it is heard of. Written by the node monitor, when that changes. */
export const HostRecord = object({
  host: Name,
  /** `lost`: it was silent for `limits.nodeDownMs`. */
  state: picklist(['alive', 'lost']),
  /** Epoch milliseconds, by the clock of the host of the node monitor. */
  since: count,
})
export type HostRecord = Infer<typeof HostRecord>

/** `services/{name}/info`: where it is. Written by the scheduler. */
export const ServiceInfo = object({
  name: Name,
  hosts: array(Name),
  /** Where it answers HTTP on each of them, on loopback. */
  port: optional(count),
  /** Of those hosts which are not as they should be. */
  states: optional(record(Name, picklist(['lost', 'draining']))),
  /** Replicas that have no host. */
  missing: optional(count),
  /** Why, or why it stays on a host that it should leave. */
  reason: optional(string()),
})
export type ServiceInfo = Infer<typeof ServiceInfo>

/** `users/{name}/settings`. Verifiers of passwords are in the vault, never here. */
export const UserSettings = object({
  name: Name,
  type: picklist(['admin', 'user']),
  state: picklist(['active', 'suspended', 'pending', 'deleted']),
  /** Lets the originals' clients log in by their hashed form of the password, whose verifier is as good as it. */
  compat_password: optional(boolean()),
})
export type UserSettings = Infer<typeof UserSettings>

/** `users/{name}/doc`: the key that a user signs sudo tokens with. Written by root, later by that user's own sudo. */
export const UserDocument = object({ name: Name, key: PublicKey, iat: count })
export type UserDocument = Infer<typeof UserDocument>

/** @throws RecordInvalid */
export function readRecord<S extends Schema>(schema: S, key: string, text: string): Infer<S> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new RecordInvalid(`The value of a key is not JSON: ${key}`, { key })
  }
  const result = safeParse(schema, value)
  if (!result.success) {
    const issue = result.issues[0]
    throw new RecordInvalid(`The value of a key has the wrong shape: ${key}: ${issue.message}`, { key })
  }
  return result.output
}

export const digestOfText = (keys: Keys, text: string): string =>
  toBase64url(keys.hash(new TextEncoder().encode(text)))

type Pairs = readonly (readonly [key: string, text: string])[]

/** Keys with their values, in order: two of these that differ anywhere have different digests. */
export const digestOfItems = (keys: Keys, items: Pairs): string =>
  digestOfDigests(keys, items.map(([key, value]) => [key, digestOfText(keys, value)]))

/** The same by the digest of each value: whoever has them need not look at a thousand values for one that changed. */
export const digestOfDigests = (keys: Keys, digests: Pairs): string => digestOfText(keys, JSON.stringify(digests))

export const kv = {
  bootConfig: 'boot/config',
  model: 'system/rbac/model',
  policy: 'system/rbac/policy',
  spec: (service: string) => `services/${service}/spec`,
  settings: (service: string) => `services/${service}/settings`,
  node: (host: string) => `nodes/${host}/config`,
  /** What an operator may do to a host; nothing lies under these three. */
  state: (host: string) => `nodes/${host}/state`,
  control: (host: string) => `nodes/${host}/control`,
  logs: (host: string) => `nodes/${host}/logs`,
  device: (host: string) => `devices/${host}/doc`,
  enrolment: (ood: string) => `system/enrolment/${ood}`,
  /** Where it is reached by other hosts: JSON, a list of HOST:PORT. Written by its enrolment. */
  servers: (ood: string) => `system/enrolment/${ood}/servers`,
  deviceInfo: (host: string) => `devices/${host}/info`,
  info: (service: string) => `services/${service}/info`,
  hosts: 'system/hosts/',
  host: (host: string) => `system/hosts/${host}`,
  user: (name: string) => `users/${name}/settings`,
  userDocument: (name: string) => `users/${name}/doc`,
} as const
