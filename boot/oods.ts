import { StartFailed } from '../runtime/errors.ts'
import { limits } from '../runtime/limits.ts'
import type { StoreLocation } from '../runtime/store/location.ts'
import { within } from '../runtime/within.ts'
import { GatewayAddress, type Address } from './address.ts'
import type { catalogue } from './catalogue.ts'
import type { ZoneConfig } from './config.ts'
import { Usage } from './errors.ts'
import { usesEtcd } from './etcd/elsewhere.ts'
import { HostLife } from './hosts.ts'
import type { Migrations } from './migrate/migrations.ts'
import type { NodeIdentity } from './nodes.ts'
import { CONTROL, Ood } from './ood.ts'
import type { Zone } from './zone.ts'

export interface OodsOptions {
  readonly zone: Zone
  readonly actors: typeof catalogue
  readonly migrations: Migrations
}

/** One that did not come to serve, while the zone goes on without it. */
export interface OodFailed {
  readonly type: 'ood-failed'
  readonly host: string
  readonly error: Error
  /** Of this host alone. */
  readonly folder: string
}

/**
 * OODs beside the first host of a cluster on one host: each has a supervisor, device key, folder and ports of its own,
 * and a whole control plane over the stores that all of them share. They find a zone that is booted.
 */
export class Oods {
  readonly #options: OodsOptions
  readonly #lives = new Map<string, { readonly life: HostLife; readonly address: GatewayAddress }>()

  constructor(options: OodsOptions) {
    this.#options = options
  }

  /**
   * At the same time, since any of them may lead. One that cannot start keeps the zone from nothing: that is what
   * several are for. @throws what a start met because all of them stop
   */
  async startAll(oods: readonly NodeIdentity[], onFailed: (failed: OodFailed) => void): Promise<void> {
    const { zone: { hosts, files } } = this.#options
    await Promise.all(oods.map((ood) => this.start(ood).catch((error: Error) => {
      if (hosts.stopping) throw error
      onFailed({ type: 'ood-failed', host: ood.name, error, folder: files.path(ood.folder) })
    })))
  }

  /** Settles when it serves. @throws what its first start met */
  async start(ood: NodeIdentity): Promise<void> {
    const { zone, actors, migrations } = this.#options
    const { name } = ood
    const address = new GatewayAddress(zone.trace, name)
    const files = await zone.platform.host.openFolder(zone.files.path(ood.folder))
    const config = besideFirst(zone.config, name)
    const make = (): Ood => {
      const platform = zone.platformOf(name)
      const own: Zone = {
        ...zone, platform, files, config, url: () => address.url, etcd: undefined,
        identity: { ...zone.identity, device: ood.device, deviceDocument: ood.deviceDocument },
        // They may have moved
        stores: zone.stores,
      }
      return new Ood({
        zone: own, isFirst: false, nodeDocuments: [], unmanaged: new Set([...CONTROL, 'vault-listener']), migrations,
        actors: (stores, etcd) => actors(stores, config, () => address.now.port, etcd), onProgress: () => {},
      })
    }
    const life = zone.hosts.add(new HostLife({ name, role: 'ood', platform: zone.platform, trace: zone.trace, make }))
    this.#lives.set(name, { life, address })
    await within(zone.platform.clock, 2 * limits.startMs, life.start(), () =>
      new StartFailed(`${name} did not come to serve within ${2 * limits.startMs} ms`))
  }

  list(): readonly { readonly host: string; readonly address: Address; readonly life: HostLife }[] {
    return [...this.#lives].map(([host, { life, address }]) => ({ host, address: address.now, life }))
  }

  close(): void {
    for (const { address } of this.#lives.values()) address.close()
  }
}

/** On the machine of the first host its ports are taken. */
const besideFirst = (config: ZoneConfig, host: string): ZoneConfig => ({
  ...config, host, http: { ...config.http, port: 0 }, vault: undefined,
  dns: config.dns && { ...config.dns, port: 0 },
  addr: config.addr && `${config.addr.slice(0, config.addr.lastIndexOf(':'))}:0`,
})

/** @throws Usage: a store in a folder is one host's alone */
export function refuseAlone(stores: StoreLocation | undefined, config: ZoneConfig): void {
  if (stores ? stores.type === 'etcd' : usesEtcd(config)) return
  throw new Usage('Several OODs share their stores, which have to be in etcd', {
    next: 'Name etcd in the config (xline_config, tls_config.enable: true), or leave --oods out',
  })
}
