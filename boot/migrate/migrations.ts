import { messageOf, StoreBeingMoved } from '../../runtime/errors.ts'
import type { Migration, MigrationPlan } from '../../runtime/migration.ts'
import type { Supervisor } from '../../runtime/supervisor.ts'
import { readCredentials } from '../etcd/credentials.ts'
import { etcdOf } from '../etcd/etcd-config.ts'
import { ConfigInvalid } from '../errors.ts'
import { file } from '../init.ts'
import type { Zone } from '../zone.ts'
import { readJournal, told } from './journal.ts'
import { moveStores, type EtcdLocation } from './move-stores.ts'
import { assertPossible, planMigration } from './plan.ts'

/**
 * The moves of a running zone's stores into the etcd of its config. What that is, and what this host is known to it by,
 * is read from the files of this host: who asks for a move says nothing of it.
 */
export class Migrations {
  readonly #zone: Zone
  readonly #supervisor: () => Supervisor
  readonly #stop = new AbortController()
  #running: Promise<unknown> | undefined
  #now: Migration | undefined

  constructor(zone: Zone, supervisor: () => Supervisor) {
    this.#zone = zone
    this.#supervisor = supervisor
  }

  /** Into the etcd of the config. One that runs already goes on. What stands in its way is told by `now`. */
  start(): Migration {
    if (!this.#running) void this.#begin(() => this.#planned())
    return this.#now!
  }

  /** There, and settles when all are. @throws StoreBeingMoved when it goes on elsewhere, and what `moveStores` does */
  async to(target: EtcdLocation): Promise<Migration> {
    if (this.#running) throw new StoreBeingMoved('The stores are being moved already')
    const failure = await this.#begin(async () => target)
    if (failure !== undefined) throw failure
    return this.#now!
  }

  #begin(target: () => Promise<EtcdLocation>): Promise<unknown> {
    const nowMs = this.#zone.platform.clock.now()
    this.#now = {
      state: 'running', endpoints: [], prefix: '', startedMs: nowMs, endedMs: null, error: null, stores: [],
    }
    this.#running = this.#run(target).then(() => undefined, (error: unknown) => {
      this.#failed(error)
      return error
    }).finally(() => { this.#running = undefined })
    return this.#running
  }

  /** The one that runs, or the last one. */
  async now(): Promise<Migration | undefined> {
    return this.#now ?? await readJournal(this.#zone.files)
  }

  async plan(): Promise<MigrationPlan> {
    try {
      return await planMigration({ ...this.#parts(), to: await this.#target() })
    } catch (error) {
      return { endpoints: [], prefix: '', operationsMax: 0, error: told(error), stores: [] }
    }
  }

  /** What runs ends where it is, and goes on at the next start. */
  async close(): Promise<void> {
    this.#stop.abort()
    await this.#running
  }

  async #planned(): Promise<EtcdLocation> {
    const to = await this.#target()
    assertPossible(await planMigration({ ...this.#parts(), to }))
    return to
  }

  async #run(target: () => Promise<EtcdLocation>): Promise<void> {
    const zone = this.#zone
    const to = await target()
    // A host that is started again meanwhile finds each store where it is then
    if (zone.stores.type === 'folder') zone.stores = { ...zone.stores, moving: to }
    this.#now = await moveStores({
      ...this.#parts(), host: zone.config.host, to, supervisor: this.#supervisor, trace: zone.trace,
      signal: this.#stop.signal, onProgress: (now) => { this.#now = now },
    })
    zone.stores = to
  }

  #failed(error: unknown): void {
    const { trace, config: { host }, platform: { clock } } = this.#zone
    this.#now = { ...this.#now!, state: 'failed', endedMs: clock.now(), error: told(error) }
    trace.emit('log', {
      host, actor: 'supervisor', at: clock.now(), level: 'error',
      message: `The stores were not moved: ${messageOf(error)}`, fields: {},
    })
  }

  async #target(): Promise<EtcdLocation> {
    const { platform, files, reread, storesAt } = this.#zone
    const config = await reread()
    const { endpoints, prefix } = etcdOf(config, files.path(file.config))
    const absent = endpoints.find((endpoint) => !storesAt.includes(endpoint.replace(/^https?:\/\//, '')))
    if (platform.host.restrictsWorkers && absent !== undefined) {
      throw new ConfigInvalid(`The workers of this zone may not reach ${absent}: its config did not name it as they `
        + 'started', { endpoint: absent, next: 'Stop the zone and start it again: on Deno permissions are for good' })
    }
    const { etcd: credentials } = await readCredentials(platform, files, config)
    return { type: 'etcd', endpoints, prefix: `${prefix}/${config.zone}`, credentials }
  }

  #parts() {
    const { platform, files } = this.#zone
    return { platform, files }
  }
}
