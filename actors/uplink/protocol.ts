import {
  array, call, integer, maxLength, minLength, nullable, number, object, optional, picklist, pipe, protocol, string,
  type Infer,
} from '../../runtime/protocol.ts'
import { ZoneDocuments } from './documents.ts'
import { PublicKey } from '../system-config/protocol.ts'

const count = pipe(number(), integer())

/** How a host reaches its zone now. */
export const UplinkState = object({
  state: picklist(['connecting', 'connected', 'refused', 'stopped']),
  /** HOST:PORT of the control plane that it is connected to, or tries. */
  server: string(),
  /** Name of that host; empty while nothing is connected. */
  ood: string(),
  /** Epoch milliseconds of this state. */
  since: count,
  /** Why the last attempt failed, or the last tunnel closed. */
  reason: string(),
  /** Attempts since the last tunnel, and tunnels since the start. */
  attempts: count, tunnels: count,
  /** Streams that are open now. */
  streams: count,
  /** Of this host; null while it has none. */
  certificate: nullable(object({ serial: string(), notAfter: count })),
})
export type UplinkState = Infer<typeof UplinkState>

/** Where a host that runs no control plane reaches it: one tunnel to one of its hosts. */
export const Uplink = protocol('uplink', {
  state: call(object({}), UplinkState, { concurrent: 8 }),
  /** By the owner key, as they came with the last certificate; null before the first. */
  documents: call(object({}), nullable(ZoneDocuments), { concurrent: 8 }),
})

/** What a host knows of its zone when it starts, as JSON in its ENV. */
export const UplinkStart = object({
  servers: pipe(array(string()), minLength(1), maxLength(16)),
  /** PEM. */
  roots: pipe(array(string()), minLength(1)),
  anchors: array(PublicKey),
  rootsVersion: count,
  /** As joined by: what comes later has to be by the same owner key. */
  zoneDocument: optional(string()),
  /** Where this host itself listens. */
  ownPorts: optional(array(count)),
})
export type UplinkStart = Infer<typeof UplinkStart>

export const uplinkEnv = 'ZONEWRIGHT_UPLINK'
/** The device key, and of a host that has just joined its certificate (PEM, with those above it) and its key. */
export const uplinkSecrets = {
  device: 'device-key', certificate: 'certificate', certificateKey: 'certificate-key',
} as const
