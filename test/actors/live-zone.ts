import { SystemConfig } from '../../actors/system-config/protocol.ts'
import { catalogue, nodeCatalogue } from '../../boot/catalogue.ts'
import { defaultConfig, type ZoneConfig } from '../../boot/config.ts'
import { file } from '../../boot/init.ts'
import type { RunningZone } from '../../boot/up.ts'
import type { ActorDefinition } from '../../runtime/actor.ts'
import { ZonewrightError } from '../../runtime/errors.ts'
import type { Keys, Platform } from '../../runtime/platform/ports.ts'
import { simulate, type World } from '../../runtime/sim/simulate.ts'
import type { ActorEvent, LogEvent } from '../../runtime/trace.ts'
import { toBase64url } from '../../runtime/trust/base64url.ts'
import { signToken } from '../../runtime/trust/token.ts'
import { bootIn, FOLDER } from '../boot-fixtures/simulated.ts'
import { pause } from '../runtime/sim-fixture.ts'

export type Change = (definition: ActorDefinition) => ActorDefinition

/** A booted zone in virtual time, and what its owner can do to `kv://`. */
export interface LiveZone {
  readonly zone: RunningZone
  readonly world: World
  /** Those of the run. */
  readonly keys: Keys
  readonly logs: readonly LogEvent[]
  readonly events: readonly ActorEvent[]
  state(name: string): string
  pause(ms: number): Promise<void>
  read(key: string): Promise<string | undefined>
  /** At which the key was written last. */
  revision(key: string): Promise<number | undefined>
  /** By the owner, with a token of their own for each. */
  set(key: string, value: unknown): Promise<void>
  createAll(records: Readonly<Record<string, unknown>>): Promise<void>
  names(key: string): Promise<readonly string[]>
  setPath(key: string, path: string, value: unknown): Promise<void>
  remove(key: string): Promise<void>
  /** A token by the owner key for one request to this actor. */
  root(audience: string): Promise<string>
}

/** Its start throws while it is not healthy. */
export const failingUnless = (healthy: () => boolean): Change => (definition) => ({
  ...definition,
  start(start) {
    if (!healthy()) throw new Error('Planted')
    return definition.start(start)
  },
})

/** Actors are changed by name; a module of the zone is imported before the run, since that takes a thread pool. */
export async function inLiveZone(
  test: (live: LiveZone) => Promise<void>,
  changes: Readonly<Record<string, Change>> = {},
  options: LiveOptions = {},
): Promise<void> {
  await inBoots(async (boot) => {
    const live = await boot(options)
    try {
      await test(live)
    } finally {
      await live.zone.stop()
    }
  }, changes, options)
}

export interface LiveOptions {
  /** In place of what the zone's file says. */
  readonly config?: Partial<ZoneConfig>
  readonly nodes?: number
  readonly maxVirtualMs?: number
  readonly maxEvents?: number
}

/** The same for several boots of one folder, each by what `boot` is told. Whoever boots stops what has booted. */
export async function inBoots(
  test: (boot: (options?: LiveOptions) => Promise<LiveZone>) => Promise<void>,
  changes: Readonly<Record<string, Change>> = {},
  { config = {}, maxVirtualMs = 3_600_000, maxEvents = 500_000 }: LiveOptions = {},
): Promise<void> {
  const modules = new Map(
    await Promise.all(
      [...catalogue(FOLDER, { ...defaultConfig, nodes: 1, ...config }), ...nodeCatalogue(FOLDER)].map(async (spec) => {
        const { module, protocol } = spec
        const { default: definition } = await import(module.href) as { default: ActorDefinition }
        return [module.href, changes[protocol.name]?.(definition) ?? definition] as const
      }),
    ),
  )
  let fault: unknown
  await simulate({ seed: 7, keys: 'cheap', modules, maxEvents, maxVirtualMs }, async (world) => {
    const boot = async (options: LiveOptions = {}): Promise<LiveZone> => {
      const events: ActorEvent[] = []
      const { config: changed = {}, nodes = 0 } = options
      const { zone, error, logs, process } = await bootIn(world, {
        watch: (trace) => trace.on('actor', (event) => void events.push(event)), config: changed, nodes,
      })
      if (!zone) throw error ?? new Error('It did not boot')
      return liveZone(zone, process.platform, world, logs, events)
    }
    try {
      await test(boot)
    } catch (thrown) {
      // A thrown ZonewrightError breaks uvu's report, and a diff uses what a simulation traps
      fault = thrown instanceof ZonewrightError ? new Error(`${thrown.code}: ${thrown.message}`) : thrown
    }
  })
  if (fault) throw fault
}

function liveZone(
  zone: RunningZone,
  platform: Platform,
  world: World,
  logs: readonly LogEvent[],
  events: readonly ActorEvent[],
): LiveZone {
  const systemConfig = zone.get(SystemConfig)
  // A root token is good once
  const owner = async () => ({ token: await rootToken(zone, platform) })
  const text = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value))
  return {
    zone,
    world,
    keys: platform.keys,
    logs,
    events,
    state: (name) => zone.list().find((each) => each.name === name)?.state ?? '',
    pause: (ms) => pause(world, ms),
    read: async (key) => (await systemConfig.get({ key }, await owner()))?.value,
    revision: async (key) => (await systemConfig.get({ key }, await owner()))?.revision,
    async set(key, value) {
      const action = await systemConfig.get({ key }, await owner()) === null ? 'create' : 'update'
      // The policy is written by a signed transaction only
      await systemConfig.execTx({ actions: { [key]: { action, value: text(value) } } }, await owner())
    },
    async createAll(records) {
      const actions = Object.fromEntries(
        Object.entries(records)
          .map(([key, value]) => [key, { action: 'create' as const, value: text(value) }]),
      )
      await systemConfig.execTx({ actions }, await owner())
    },
    names: async (key) => systemConfig.list({ key }, await owner()),
    setPath: async (key, path, value) =>
      void await systemConfig.setByJsonPath({ key, path, value: JSON.stringify(value) }, await owner()),
    root: (audience) => rootToken(zone, platform, audience),
    remove: async (key) => void await systemConfig.delete({ key }, await owner()),
  }
}

async function rootToken(
  zone: RunningZone, { keys, clock, random }: Platform, audience = 'system-config',
): Promise<string> {
  const pem = new TextDecoder().decode((await zone.files.read(file.ownerKey))!)
  const iat = Math.floor(clock.now() / 1000)
  return signToken(keys.importPem(pem), {
    iss: 'root',
    sub: 'root',
    aud: [audience],
    iat,
    exp: iat + 300,
    jti: toBase64url(random.bytes(16)),
    token_use: 'root',
    appid: 'cli',
    runtime_type: 'user',
    epoch: 0,
  })
}
