import { CertManager } from '../actors/cert-manager/protocol.ts'
import { Dns } from '../actors/dns/protocol.ts'
import { Enrolment, enrolmentEnv, localWayPath } from '../actors/enrolment/protocol.ts'
import { Gateway } from '../actors/gateway/protocol.ts'
import { serverOf } from '../actors/host-identity.ts'
import { NodeDaemon } from '../actors/node-daemon/protocol.ts'
import { NodeMonitor } from '../actors/node-monitor/protocol.ts'
import { SERVICES } from '../actors/scheduler/built-in.ts'
import { BootScheduler, Scheduler } from '../actors/scheduler/protocol.ts'
import { Service } from '../actors/service/protocol.ts'
import { SystemConfig } from '../actors/system-config/protocol.ts'
import { Uplink } from '../actors/uplink/protocol.ts'
import { REACHED_AT, Vault, VaultListener } from '../actors/vault/protocol.ts'
import { VerifyHub } from '../actors/verify-hub/protocol.ts'
import type { ZoneConfig } from './config.ts'
import { ENROLMENT_SOCKET, file } from './init.ts'
import { limits } from '../runtime/limits.ts'
import { worker, type ActorSpec } from '../runtime/spec.ts'

/** Every actor that a node can run: what reaches its config on the OOD, and services. */
export function nodeCatalogue(stores: string): readonly ActorSpec[] {
  return [
    worker(NodeDaemon, new URL('../actors/node-daemon/node.ts', import.meta.url), {
      runtimeType: 'node',
      manual: true,
    }),
    worker(Service, new URL('../actors/service/actor.ts', import.meta.url), {
      runtimeType: 'service',
      manual: true,
      // Most nodes never run it, and a worker costs memory
      lazy: true,
      permissions: { write: [`${stores}/service`] },
    }),
  ]
}

/** Beside these, what a host of its own needs: the way to its zone, and a gateway for its programs. */
export function hostCatalogue(
  stores: string, http: ZoneConfig['http'], portBefore: () => number,
): readonly ActorSpec[] {
  return [
    worker(Uplink, new URL('../actors/uplink/actor.ts', import.meta.url), {
      runtimeType: 'node', manual: true, carries: true,
      // Where its zone is later on, it is told by the zone
      permissions: { net: ['*'], write: [`${stores}/uplink`] },
    }),
    ...nodeCatalogue(stores),
    gateway(http, portBefore, [], new URL('../actors/gateway/node.ts', import.meta.url)),
  ]
}

/**
 * Every actor that an OOD can run. All are started by name: the sequence says when, and the node config which.
 * @param etcd hosts with their ports that the actors with a store may reach, besides the folder that it may move from
 */
export function catalogue(
  stores: string, config: ZoneConfig, portBefore: () => number = () => 0, etcd: readonly string[] = [],
): readonly ActorSpec[] {
  const { http, dns } = config
  const kernel = { runtimeType: 'kernel-service', manual: true } as const
  const asked = servicesAskedBy(config)
  const services = { [SERVICES]: asked.join(' ') }
  const store = (name: string) => ({ write: [`${stores}/${name}`], ...(etcd.length > 0 && { net: etcd }) })
  return [
    vaultActor(stores, etcd, enrols(config) ? serverOf(config.addr!).hostname : undefined),
    ...(config.vault ? [vaultListener(config.vault)] : []),
    worker(SystemConfig, new URL('../actors/system-config/actor.ts', import.meta.url), {
      ...kernel,
      permissions: store('system-config'),
    }),
    worker(BootScheduler, new URL('../actors/scheduler/boot-actor.ts', import.meta.url), {
      ...kernel, thread: 'scheduler', env: services,
    }),
    worker(Scheduler, new URL('../actors/scheduler/actor.ts', import.meta.url), {
      ...kernel, thread: 'scheduler', env: services,
    }),
    // A thread of its own: with one that is shared, what dies takes along who does not need it
    worker(CertManager, new URL('../actors/cert-manager/actor.ts', import.meta.url), kernel),
    ...(asked.includes('node-monitor')
      ? [worker(NodeMonitor, new URL('../actors/node-monitor/actor.ts', import.meta.url), kernel)] : []),
    ...(enrols(config) ? [enrolment(stores, config)] : []),
    ...(dns ? [nameServer(http.hostname, dns.port)] : []),
    worker(VerifyHub, new URL('../actors/verify-hub/actor.ts', import.meta.url), {
      ...kernel,
      permissions: store('verify-hub'),
    }),
    worker(NodeDaemon, new URL('../actors/node-daemon/ood.ts', import.meta.url), { ...kernel, runtimeType: 'ood' }),
    gateway(http, portBefore, enrols(config) ? localWays(stores) : []),
    worker(Service, new URL('../actors/service/actor.ts', import.meta.url), {
      runtimeType: 'service',
      manual: true,
      permissions: store('service'),
    }),
  ]
}

/** Services beside those of every zone, as its config asks for them. */
export const servicesAskedBy = ({ addr, dns, tls, etcd, nodes }: ZoneConfig): readonly string[] => [
  'cert-manager',
  ...(dns ? ['dns'] : []),
  ...(enrols({ addr, tls }) ? ['enrolment'] : []),
  ...(tls.enable || etcd || nodes > 0 ? ['node-monitor'] : []),
]

/** @param reachedAt where other hosts reach this one, if they do: its certificates may name it */
export const vaultActor = (stores: string, etcd: readonly string[] = [], reachedAt?: string): ActorSpec => {
  const audit = auditBeside(stores)
  return worker(Vault, new URL('../actors/vault/actor.ts', import.meta.url), {
    runtimeType: 'kernel-service', manual: true, files: audit,
    env: reachedAt === undefined ? {} : { [REACHED_AT]: reachedAt },
    permissions: { write: [`${stores}/vault`, audit], ...(etcd.length > 0 && { net: etcd }) },
  })
}

/** Where the vault listens for HTTP. */
export interface VaultHttp {
  readonly hostname: string
  /** 0: a free one. */
  readonly port: number
  /** `off`: none, on loopback only. Else by a certificate of the zone, as soon as it has authorities. */
  readonly tls?: 'off'
}

/** It has the network, and the vault has not. */
export const vaultListener = ({ hostname, port, tls }: VaultHttp): ActorSpec =>
  worker(VaultListener, new URL('../actors/vault/listener.ts', import.meta.url), {
    runtimeType: 'kernel-service', manual: true,
    // One that was free it opens again when it turns to TLS
    permissions: { net: [port === 0 ? hostname : address({ hostname, port })] },
    env: {
      ZONEWRIGHT_VAULT_HOSTNAME: hostname, ZONEWRIGHT_VAULT_PORT: String(port),
      ...(tls ? { ZONEWRIGHT_VAULT_TLS: tls } : {}),
    },
  })

/** It has a thread of its own: what comes by DNS comes from anybody. */
const nameServer = (hostname: string, port: number): ActorSpec =>
  worker(Dns, new URL('../actors/dns/actor.ts', import.meta.url), {
    runtimeType: 'kernel-service', manual: true,
    env: {
      ZONEWRIGHT_DNS_HOSTNAME: hostname === 'localhost' ? '127.0.0.1' : hostname, ZONEWRIGHT_DNS_PORT: String(port),
    },
    // Whoever asks by UDP is sent to, as any address that there is: on loopback, those of loopback
    permissions: {
      net: LOOPBACK.test(hostname) ? ['127.0.0.1', '[::1]', address({ hostname, port })] : ['*'],
    },
  })

/** What leads from there to programs of other hosts. */
const localWays = (stores: string): readonly string[] =>
  Array.from({ length: limits.localWays }, (_, index) => localWayPath(runFolder(stores), index))

/** Where its port is chosen freely it comes back on the one it had: who has its address open finds it again. */
const gateway = (
  http: ZoneConfig['http'], portBefore: () => number, sockets: readonly string[],
  module = new URL('../actors/gateway/actor.ts', import.meta.url),
): ActorSpec => ({
  ...worker(Gateway, module, { runtimeType: 'gateway', manual: true }),
  get env() {
    return {
      ZONEWRIGHT_HTTP_HOSTNAME: http.hostname, ZONEWRIGHT_HTTP_PORT: String(http.port),
      ZONEWRIGHT_HTTP_PORT_BEFORE: String(portBefore()), ZONEWRIGHT_HTTP_ORIGINS: http.origins.join(' '),
    }
  },
  get permissions() {
    // What services answer by HTTP it fetches on this machine, wherever they listen
    const own = [...new Set([http.port, portBefore()])].map((port) => address({ ...http, port }))
    const net = [...own, '127.0.0.1', ...sockets.map((path) => `unix:${path}`)]
    return sockets.length > 0 ? { net, write: sockets } : { net }
  },
})

/** Beside the folder of the stores, in the same host's folder. */
export const auditBeside = (stores: string): string => `${stores.replace(/[^/]*$/, '')}${file.audit}`

const LOOPBACK = /^(?:127(?:\.\d{1,3}){3}|::1|localhost)$/

/** Whether hosts may join it from elsewhere. */
export const enrols = ({ addr, tls }: Pick<ZoneConfig, 'addr' | 'tls'>): boolean => addr !== undefined && tls.enable

/** Beside the stores: where the Unix sockets of this host are, for its user alone. */
export const runFolder = (stores: string): string => `${stores.slice(0, stores.lastIndexOf('/'))}/${file.run}`

/** It has a thread of its own: what comes there comes from anybody. */
function enrolment(stores: string, { addr = '', join, etcd, http, dns, vault }: ZoneConfig): ActorSpec {
  const { hostname, port } = serverOf(addr)
  const run = runFolder(stores)
  const socket = `${run}/${ENROLMENT_SOCKET}`
  return worker(Enrolment, new URL('../actors/enrolment/actor.ts', import.meta.url), {
    runtimeType: 'kernel-service', manual: true, carries: true,
    env: {
      [enrolmentEnv.hostname]: hostname, [enrolmentEnv.port]: String(port),
      [enrolmentEnv.ports]: [http.port, dns?.port ?? 0, vault?.port ?? 0].join(),
      [enrolmentEnv.socket]: socket, ...(join.hook === undefined ? {} : { [enrolmentEnv.hook]: '1' }),
      ...(etcd === undefined ? {} : { [enrolmentEnv.etcd]: JSON.stringify(etcd) }),
    },
    // Where the other hosts of the control plane are, the zone says as they come and go
    permissions: { net: ['*', `unix:${socket}`], write: [run] },
  })
}

/** As Deno writes it. */
const address = ({ hostname, port }: Pick<ZoneConfig['http'], 'hostname' | 'port'>): string =>
  hostname.includes(':') ? `[${hostname}]:${port}` : `${hostname}:${port}`
