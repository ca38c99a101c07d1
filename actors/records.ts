import { safeParse } from 'valibot'
import { defineError } from '../runtime/errors.ts'
import {
  array, boolean, integer, minValue, nullable, number, object, optional, picklist, pipe, record, regex, string,
  type Infer, type Schema,
} from '../runtime/protocol.ts'
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
  /** Hosts it should run on at the same time; 1 when it does not say. */
  replicas: optional(count),
})
export type ServiceSpec = Infer<typeof ServiceSpec>

/** `nodes/{host}/config`: what one host runs. Written by the scheduler only. */
export const NodeConfig = object({
  host: Name,
  state: picklist(['running', 'draining', 'stopped']),
  services: record(Name, object({
    target: picklist(['running', 'stopped']),
    /** Revision of the spec that this was made from. */
    specRevision: count,
  })),
})
export type NodeConfig = Infer<typeof NodeConfig>

/** `typ` of the compact JWS that lies under `devices/{host}/doc`: the owner key signs it (`signDocument`). */
export const deviceDocumentType = 'zw-device+jws'

/** Its payload. */
export const DeviceDocument = object({
  zone: string(),
  name: Name,
  role: picklist(['ood', 'node']),
  key: PublicKey,
  /** The user the device belongs to. */
  owner: Name,
  iat: count,
})
export type DeviceDocument = Infer<typeof DeviceDocument>

/** `users/{name}/settings`. Verifiers of passwords are in the vault, never here. */
export const UserSettings = object({
  name: Name,
  type: picklist(['admin', 'user']),
  state: picklist(['active', 'suspended', 'pending', 'deleted']),
})
export type UserSettings = Infer<typeof UserSettings>

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

export const kv = {
  bootConfig: 'boot/config',
  spec: (service: string) => `services/${service}/spec`,
  node: (host: string) => `nodes/${host}/config`,
  device: (host: string) => `devices/${host}/doc`,
  user: (name: string) => `users/${name}/settings`,
} as const
