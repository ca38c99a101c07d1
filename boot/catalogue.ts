import { Gateway } from '../actors/gateway/protocol.ts'
import { NodeDaemon } from '../actors/node-daemon/protocol.ts'
import { BootScheduler, Scheduler } from '../actors/scheduler/protocol.ts'
import { Service } from '../actors/service/protocol.ts'
import { SystemConfig } from '../actors/system-config/protocol.ts'
import { Vault, VaultListener } from '../actors/vault/protocol.ts'
import { VerifyHub } from '../actors/verify-hub/protocol.ts'
import type { ZoneConfig } from './config.ts'
import { file } from './init.ts'
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

/**
 * Every actor that an OOD can run. All are started by name: the sequence says when, and the node config which.
 * @param etcd hosts with their ports that the actors with a store may reach, besides the folder that it may move from
 */
export function catalogue(
  stores: string, { http }: ZoneConfig, portBefore: () => number = () => 0, etcd: readonly string[] = [],
): readonly ActorSpec[] {
  const kernel = { runtimeType: 'kernel-service', manual: true } as const
  const store = (name: string) => ({ write: [`${stores}/${name}`], ...(etcd.length > 0 && { net: etcd }) })
  return [
    vaultActor(stores, etcd),
    worker(SystemConfig, new URL('../actors/system-config/actor.ts', import.meta.url), {
      ...kernel,
      permissions: store('system-config'),
    }),
    worker(BootScheduler, new URL('../actors/scheduler/boot-actor.ts', import.meta.url), {
      ...kernel,
      thread: 'scheduler',
    }),
    worker(Scheduler, new URL('../actors/scheduler/actor.ts', import.meta.url), { ...kernel, thread: 'scheduler' }),
    worker(VerifyHub, new URL('../actors/verify-hub/actor.ts', import.meta.url), {
      ...kernel,
      permissions: store('verify-hub'),
    }),
    worker(NodeDaemon, new URL('../actors/node-daemon/ood.ts', import.meta.url), { ...kernel, runtimeType: 'ood' }),
    gateway(http, portBefore),
    worker(Service, new URL('../actors/service/actor.ts', import.meta.url), {
      runtimeType: 'service',
      manual: true,
      permissions: store('service'),
    }),
  ]
}

/** Where the vault listens for HTTP. */
export interface VaultHttp {
  readonly hostname: string
  /** 0: a free one. */
  readonly port: number
  /** `off`: none, on loopback only. Else by a certificate of the zone, as soon as it has authorities. */
  readonly tls?: 'off'
}

/** `etcd`: hosts with their ports, where its store may lie. */
export const vaultActor = (stores: string, etcd: readonly string[] = []): ActorSpec => {
  const audit = auditBeside(stores)
  return worker(Vault, new URL('../actors/vault/actor.ts', import.meta.url), {
    runtimeType: 'kernel-service', manual: true, files: audit,
    permissions: { write: [`${stores}/vault`, audit], ...(etcd.length > 0 && { net: etcd }) },
  })
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

/** Where its port is chosen freely it comes back on the one it had: who has its address open finds it again. */
const gateway = (http: ZoneConfig['http'], portBefore: () => number): ActorSpec => ({
  ...worker(Gateway, new URL('../actors/gateway/actor.ts', import.meta.url), { runtimeType: 'gateway', manual: true }),
  get env() {
    return {
      ZONEWRIGHT_HTTP_HOSTNAME: http.hostname, ZONEWRIGHT_HTTP_PORT: String(http.port),
      ZONEWRIGHT_HTTP_PORT_BEFORE: String(portBefore()), ZONEWRIGHT_HTTP_ORIGINS: http.origins.join(' '),
    }
  },
  get permissions() {
    // What services answer by HTTP it fetches on this machine, wherever they listen
    const own = [...new Set([http.port, portBefore()])].map((port) => address({ ...http, port }))
    return { net: [...own, '127.0.0.1'] }
  },
})

/** Beside the folder of the stores, in the same host's folder. */
export const auditBeside = (stores: string): string => `${stores.replace(/[^/]*$/, '')}${file.audit}`

/** As Deno writes it. */
const address = ({ hostname, port }: VaultHttp): string =>
  hostname.includes(':') ? `[${hostname}]:${port}` : `${hostname}:${port}`
