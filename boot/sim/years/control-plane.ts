import type { Evidence, Handlers, Lifecycle, Log } from '../../../runtime/actor.ts'
import { Unavailable, ZonewrightError } from '../../../runtime/errors.ts'
import type { Client } from '../../../runtime/protocol.ts'
import type { SimulatedProcess, World } from '../../../runtime/sim/simulate.ts'
import { folderOf } from '../../../runtime/store/location.ts'
import type { Store } from '../../../runtime/store/store.ts'
import { toBase64url } from '../../../runtime/trust/base64url.ts'
import { deferred, pause, within } from '../../../runtime/within.ts'
import { createPublished, type Published } from '../../../actors/cert-manager/published.ts'
import { createRounds, type Rounds } from '../../../actors/cert-manager/rounds.ts'
import type { ActorDefinition } from '../../../runtime/actor.ts'
import { Vault } from '../../../actors/vault/protocol.ts'
import { clientOf, enter, OOD, peerOf, recordsOf, startOf, type Records } from './start.ts'

const FOLDER = '/zone'
/** Where the audit of its vault lies. */
export const AUDIT = `${FOLDER}/audit`
const KEY_FILE = 'unseal.key'
/** Milliseconds in which a caller expects an answer, over the network. */
const CALL_MS = 30_000
/** Milliseconds before a service manager starts a process again that has ended by itself. */
const START_AGAIN_MS = 5_000

/** The control plane while its process serves. */
export interface Serving {
  readonly main: SimulatedProcess
  readonly store: Store
  readonly records: Records
  readonly rounds: Rounds
  readonly published: Published
  readonly clock: World['clock']
  /** The vault, as this actor of the host has it. */
  as(actor: string): Client<typeof Vault>
  readonly lifecycle: Lifecycle
  readonly stopping: AbortController
}

/** Who asks it something. */
export interface Caller {
  readonly host: string
  readonly main: SimulatedProcess
}

export interface ControlPlaneOptions {
  readonly world: World
  readonly vault: ActorDefinition
  readonly onServes: (serving: Serving) => void
  readonly onLog: (level: keyof Log, message: string, fields: Evidence | undefined) => void
}

/**
 * The first host: the vault, and the loop of the certificate manager that keeps its authorities, in one process. It is
 * started again whenever it has ended, when the power is back.
 */
export class ControlPlane {
  starts = 0
  readonly #options: ControlPlaneOptions
  #serving: Serving | undefined
  #main: SimulatedProcess | undefined
  /** Milliseconds for which the power stays off, when it goes. */
  #offMs = START_AGAIN_MS
  #stopping = false
  #running: Promise<void> = Promise.resolve()

  constructor(options: ControlPlaneOptions) {
    this.#options = options
  }

  get serving(): Serving | undefined {
    return this.#serving
  }

  start(): void {
    this.#running = this.#keepRunning()
    this.#running.catch((error: Error) => this.#options.world.fail(error))
  }

  /** The power goes, for so long. False where it was off. */
  powerOff(forMs: number): boolean {
    if (!this.#main?.alive) return false
    this.#offMs = forMs
    this.#main.kill()
    return true
  }

  /** In order: the audit is signed to its end. Answers with the store of the vault. */
  async stop(): Promise<Store> {
    this.#stopping = true
    while (!this.#serving) await pause(this.#options.world.clock, 1_000)
    const { main, stopping, lifecycle, store } = this.#serving
    await enter(main)
    stopping.abort()
    await lifecycle.stop?.()
    return store
  }

  /** Over the network from a process of another host, or of its own. @throws Unavailable, and what `ask` does */
  call<T>(from: Caller, ask: (plane: Serving) => Promise<T>): Promise<T> {
    const { clock } = from.main.platform
    const late = (): Error => new Unavailable('The control plane does not answer')
    return within(clock, CALL_MS, this.#call(from, ask), late)
  }

  async #call<T>(from: Caller, ask: (plane: Serving) => Promise<T>): Promise<T> {
    const { world } = this.#options
    await world.cross(from.host, OOD)
    const serving = this.#serving
    const back = async (): Promise<void> => {
      await world.cross(OOD, from.host)
      await enter(from.main)
    }
    if (!serving?.main.alive) {
      await back()
      throw new Unavailable('The control plane is down')
    }
    await enter(serving.main)
    const outcome = await ask(serving).then((value) => ({ value }), (error: unknown) => ({ error }))
    // Of a process that has ended nobody hears
    if (!serving.main.alive) return deferred<T>().promise
    await back()
    if ('value' in outcome) return outcome.value
    if (outcome.error instanceof ZonewrightError) throw outcome.error
    return this.#failed(outcome.error)
  }

  async #keepRunning(): Promise<void> {
    const { world } = this.#options
    while (!this.#stopping) {
      this.#offMs = START_AGAIN_MS
      this.starts++
      const main = this.#main = world.startProcess(OOD)
      const over = deferred<void>()
      main.onEnd(() => {
        this.#serving = undefined
        over.resolve()
      })
      this.#open(main).catch((error: unknown) => {
        if (main.alive) this.#failed(error)
      })
      await over.promise
      // The end comes within an event of the process: what follows is of who starts it
      await pause(world.clock, this.#offMs)
    }
  }

  async #open(main: SimulatedProcess): Promise<void> {
    const { onServes, onLog, vault: definition } = this.#options
    const { platform } = main
    const files = await platform.host.openFolder(FOLDER)
    let key = await files.read(KEY_FILE)
    if (!key) {
      key = new TextEncoder().encode(toBase64url(platform.random.bytes(32)))
      await files.create(KEY_FILE, key, { mode: 0o600 })
    }
    const stores = platform.stores(folderOf(files.path('stores')))
    const store = await stores.open('vault')
    const records = recordsOf(await stores.open('system-config'))
    const stopping = new AbortController()
    const given = {
      platform, incarnation: main.id, store, secrets: { 'unseal-key': new TextDecoder().decode(key) },
      stopping: stopping.signal, files: () => platform.host.openFolder(AUDIT), onLog,
      onFailure: (error: unknown) => {
        if (main.alive) this.#failed(error)
      },
    }
    const start = startOf({ ...given, actor: 'vault' })
    const { handlers, lifecycle } = await definition.start(start) as unknown as {
      handlers: Handlers<typeof Vault>; lifecycle: Lifecycle
    }
    const as = (actor: string): Client<typeof Vault> => clientOf(handlers, peerOf(actor, main.id))
    const managerStart = { ...startOf({ ...given, actor: 'cert-manager' }), store }
    const vault = as('cert-manager')
    const published = createPublished({
      start: managerStart, systemConfig: records, session: { token: () => '' }, vault,
    })
    const rounds = createRounds({ start: managerStart, vault, published, term: () => published.unbound })
    const serving = this.#serving = {
      main, store, records, rounds, published, clock: platform.clock, as, lifecycle, stopping,
    }
    rounds.run().catch(given.onFailure)
    onServes(serving)
  }

  #failed(error: unknown): never {
    this.#options.world.fail(error as Error)
    throw error
  }
}
