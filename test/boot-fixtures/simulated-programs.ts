import { kv } from '../../actors/records.ts'
import { SystemConfig } from '../../actors/system-config/protocol.ts'
import { catalogue, nodeCatalogue } from '../../boot/catalogue.ts'
import { defaultConfig } from '../../boot/config.ts'
import { file } from '../../boot/init.ts'
import { type RunningZone, up } from '../../boot/up.ts'
import type { ActorDefinition } from '../../runtime/actor.ts'
import { ZonewrightError } from '../../runtime/errors.ts'
import { Programs } from '../../runtime/sim/programs.ts'
import { simulate, type SimulatedProcess, type SimulationResult, type World } from '../../runtime/sim/simulate.ts'
import type { HostState } from '../../runtime/supervision.ts'
import { type ActorEvent, createTrace, type LogEvent } from '../../runtime/trace.ts'
import { toBase64url } from '../../runtime/trust/base64url.ts'
import { signToken } from '../../runtime/trust/token.ts'
import { pause } from '../runtime/sim-fixture.ts'
import { readyPrograms } from './programs.ts'

const FOLDER = 'zone'

export type Actor = HostState['actors'][number] & { readonly host: string }

/** A zone in virtual time whose hosts may run the ready programs. */
export interface ProgramZone {
  readonly world: World
  readonly programs: Programs
  readonly process: SimulatedProcess
  readonly zone: RunningZone
  readonly events: readonly ActorEvent[]
  readonly logs: readonly LogEvent[]
  /** Writes the spec of a service, as `services add` does; `run` and `more` are what else it says. */
  install(name: string, command: string, run?: object, more?: object): Promise<void>
  /** The service as it is on each host that knows it. */
  found(name: string): readonly Actor[]
  serving(name: string): readonly Actor[]
  /** Settles with the virtual milliseconds that it took. @throws what is there instead after a minute */
  until(what: string, holds: () => boolean): Promise<number>
  /** Of one service, in order: `state incarnation`. */
  states(name: string): readonly string[]
  log(name: string): readonly string[]
}

export interface ProgramZoneOptions {
  readonly seed: number
  readonly nodes?: number
  readonly allow?: readonly string[]
  readonly user?: number
  /** The process is left as it is, running. */
  readonly leave?: boolean
}

/** The modules of the zone, imported before a virtual clock starts. */
export async function zoneModules(): Promise<ReadonlyMap<string, ActorDefinition>> {
  const specs = [...catalogue(FOLDER, { ...defaultConfig, nodes: 1 }), ...nodeCatalogue(FOLDER)]
  return new Map(await Promise.all(specs.map(async ({ module }) =>
    [module.href, (await import(module.href) as { default: ActorDefinition }).default] as const)))
}

export async function inProgramZone(
  options: ProgramZoneOptions, run: (live: ProgramZone) => Promise<void>,
): Promise<SimulationResult> {
  const modules = await zoneModules()
  const programs = new Programs(readyPrograms, options.user)
  const { seed } = options
  let fault: unknown
  const bounds = { maxEvents: 2_000_000, maxVirtualMs: 3_600_000 }
  const result = await simulate({ seed, keys: 'cheap', modules, programs, ...bounds }, async (world) => {
    const live = await bootPrograms(world, programs, options)
    try {
      await run(live)
    } catch (error) {
      fault = error instanceof ZonewrightError ? new Error(`${error.code}: ${error.message}`) : error
    }
    if (!options.leave) await live.zone.stop()
  })
  if (fault) throw fault
  return result
}

/** Starts a process of the host that boots the zone; its files are those of the process before. */
export async function bootPrograms(
  world: World, programs: Programs, { nodes = 0, allow = ['/opt/*'] }: Omit<ProgramZoneOptions, 'seed'>,
): Promise<ProgramZone> {
  const process = world.startProcess(defaultConfig.host)
  const { platform } = process
  const trace = createTrace()
  const [events, logs]: [ActorEvent[], LogEvent[]] = [[], []]
  trace.on('actor', (event) => void events.push(event))
  trace.on('log', (event) => void logs.push(event))
  const text = `nodes: ${nodes}\nprocesses: { allow: ${JSON.stringify(allow)} }\n`
  const zone = await up({ platform, folder: FOLDER, trace, config: { path: 'zone.yaml', text } })
  const owner = async () => ({ token: await rootToken(zone, process) })
  const found = (name: string): readonly Actor[] => zone.hosts().flatMap(({ host, actors }) =>
    actors.filter((actor) => actor.name === name).map((actor) => ({ host, ...actor })))
  return {
    world, programs, process, zone, events, logs, found,
    async install(name, command, run = {}, more = {}) {
      const key = kv.spec(name)
      const value = JSON.stringify({
        name, appid: name, owner: null, runtimeType: 'service', kernel: false, audiences: [],
        run: { command: command.split(' '), ...run }, ...more,
      })
      const systemConfig = zone.get(SystemConfig)
      const action = await systemConfig.get({ key }, await owner()) === null ? 'create' : 'update'
      await systemConfig.execTx({ actions: { [key]: { action, value } } }, await owner())
    },
    serving: (name) => found(name).filter(({ state }) => state === 'serving'),
    async until(what, holds) {
      const began = world.clock.monotonic()
      while (!holds()) {
        if (world.clock.monotonic() - began > 60_000) throw new Error(`Not within a minute: ${what}`)
        await pause(world, 10)
      }
      return world.clock.monotonic() - began
    },
    states: (name) => events.filter(({ actor }) => actor === name)
      .map(({ state, incarnation }) => `${state} ${incarnation}`),
    log: (name) => logs.filter(({ actor }) => actor === name).map(({ message }) => message),
  }
}

async function rootToken(zone: RunningZone, { platform: { keys, clock, random } }: SimulatedProcess): Promise<string> {
  const pem = new TextDecoder().decode((await zone.files.read(file.ownerKey))!)
  const iat = Math.floor(clock.now() / 1000)
  return signToken(keys.importPem(pem), {
    iss: 'root', sub: 'root', aud: ['system-config'], iat, exp: iat + 300, jti: toBase64url(random.bytes(16)),
    token_use: 'root', appid: 'cli', runtime_type: 'user', epoch: 0,
  })
}
