import { Gateway } from '../actors/gateway/protocol.ts'
import { NodeDaemon } from '../actors/node-daemon/protocol.ts'
import { BootScheduler, Scheduler } from '../actors/scheduler/protocol.ts'
import { Service } from '../actors/service/protocol.ts'
import { SystemConfig } from '../actors/system-config/protocol.ts'
import { Vault } from '../actors/vault/protocol.ts'
import { VerifyHub } from '../actors/verify-hub/protocol.ts'
import type { ZoneConfig } from './config.ts'
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
    worker(Vault, new URL('../actors/vault/actor.ts', import.meta.url), { ...kernel, permissions: store('vault') }),
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

/** As Deno writes it. */
const address = ({ hostname, port }: ZoneConfig['http']): string =>
  hostname.includes(':') ? `[${hostname}]:${port}` : `${hostname}:${port}`
