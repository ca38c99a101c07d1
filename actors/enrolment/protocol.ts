import {
  array, call, integer, number, object, optional, pipe, protocol, string, type Infer,
} from '../../runtime/protocol.ts'
import { JoinedHost, OodRequest } from '../vault/protocol.ts'

/** Where hosts join the zone, and where tokens for that are made. */
export const Enrolment = protocol('enrolment', {
  address: call(
    object({}), object({ hostname: string(), port: pipe(number(), integer()), socket: string() }), { concurrent: 8 },
  ),
  /**
   * A Unix socket of this host whose connections lead to the HTTP port of a service on that other host. It is of no
   * other for `limits.localWayMs`: whoever has asked connects within that. @throws Unavailable, Overloaded
   */
  way: call(
    object({ service: string(), host: string(), port: pipe(number(), integer()) }), object({ socket: string() }),
    { concurrent: 64 },
  ),
})

/** In the folder of this host's sockets: where the `index`th way to a service of another host is. */
export const localWayPath = (folder: string, index: number): string => `${folder}/way-${index}.sock`

/** In its ENV. */
export const enrolmentEnv = {
  hostname: 'ZONEWRIGHT_ENROLMENT_HOSTNAME',
  port: 'ZONEWRIGHT_ENROLMENT_PORT',
  /** Absolute path of the Unix socket, in a folder of mode 0700. */
  socket: 'ZONEWRIGHT_ENROLMENT_SOCKET',
  /** Set where a program of this host is asked about joins. */
  hook: 'ZONEWRIGHT_ENROLMENT_HOOK',
  /** Ports at which others of this zone listen on this host, with commas. */
  ports: 'ZONEWRIGHT_ENROLMENT_PORTS',
  /** Where the stores lie in etcd: JSON of their endpoints and prefix. */
  etcd: 'ZONEWRIGHT_ENROLMENT_ETCD',
} as const

export const joinTokensPath = '/join-tokens'
/** Hosts that joined; one below it, by its name. */
export const hostsPath = '/hosts'
/** Hosts that wait to become OODs; one below it, by its name. */
export const oodRequestsPath = '/ood-requests'

const { document: _, ...entries } = JoinedHost.entries
/** A host that joined, as it is told of. */
export const HostTold = object(entries)
export type HostTold = Infer<typeof HostTold>
/** `next`: there are more, behind this name. */
export const HostsTold = object({ hosts: array(HostTold), next: optional(string()) })

/** `owner`: to whom the hosts of the zone belong, which the owner's document is to say. */
export const OodRequestsTold = object({ requests: array(OodRequest), owner: string() })
