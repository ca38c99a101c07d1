import { kv, readRecord, RecordInvalid, ServiceSpec } from '../records.ts'
import type { Config } from './schedule.ts'

/** The services that ship with Zonewright, and how a zone that was made without one of them gets it. */

const ownSpec = (
  name: string, runtimeType: ServiceSpec['runtimeType'], kernel: boolean, audiences: string[],
): ServiceSpec => ({ name, appid: name, owner: null, runtimeType, kernel, audiences })

/** The command line's app: people use it, and no host runs it. */
const consoleApp: ServiceSpec = {
  ...ownSpec('console', 'client-device', false, [
    'system-config', 'node-daemon', 'scheduler', 'verify-hub', 'cert-manager', 'node-monitor', 'enrolment',
  ]),
  replicas: 0,
}

/** What it was allowed to ask in zones that earlier releases made. Who changed that is left alone. */
const earlierAudiences: readonly string[] = [
  'system-config,node-daemon,scheduler', 'system-config,node-daemon,scheduler,verify-hub',
]

/** What every zone runs. */
export const firstServices: readonly ServiceSpec[] = [
  consoleApp,
  ownSpec('gateway', 'gateway', true, ['system-config']),
  ownSpec('scheduler', 'kernel-service', true, ['system-config']),
  ownSpec('service', 'service', false, ['system-config']),
  ownSpec('verify-hub', 'kernel-service', true, []),
]

/** What a zone runs only where the ENV of its scheduler names it. */
const onRequest: readonly ServiceSpec[] = ['cert-manager', 'dns', 'enrolment', 'node-monitor']
  .map((name) => ownSpec(name, 'kernel-service', true, ['system-config']))

/** In the ENV of both schedulers: names of the services on request, with a space between two. */
export const SERVICES = 'ZONEWRIGHT_SERVICES'

/** Undefined where the ENV says nothing of them: then they are left as they are. */
export function askedFor(env: Readonly<Record<string, string>>): ReadonlySet<string> | undefined {
  const names = env[SERVICES]
  return names === undefined ? undefined : new Set(names.split(' ').filter(Boolean))
}

/** All that a new zone begins with. */
export const servicesOf = (asked: ReadonlySet<string> | undefined): readonly ServiceSpec[] =>
  [...firstServices, ...onRequest.filter(({ name }) => asked?.has(name))]

/**
 * Specs that a zone lacks, key → text. Nothing is taken away: the ENV of another OOD may ask for what this one's does
 * not, and whichever leads would undo what the other did. One that is there stays as an operator has left it: stopped,
 * restarted, changed.
 */
export function builtInChanges(config: Config, asked: ReadonlySet<string> | undefined): ReadonlyMap<string, string> {
  const wanted = new Map<string, string>()
  if (!asked) return wanted
  for (const spec of onRequest) {
    const key = kv.spec(spec.name)
    if (asked.has(spec.name) && !config.has(key)) wanted.set(key, JSON.stringify(spec))
  }
  const key = kv.spec(consoleApp.name)
  const found = readOr(key, config.get(key))
  if (found && earlierAudiences.includes(found.audiences.join(','))) {
    wanted.set(key, JSON.stringify({ ...found, audiences: consoleApp.audiences }))
  }
  return wanted
}

function readOr(key: string, text: string | undefined): ServiceSpec | undefined {
  if (text === undefined) return undefined
  try {
    return readRecord(ServiceSpec, key, text)
  } catch (error) {
    if (error instanceof RecordInvalid) return undefined
    throw error
  }
}

/** The config as it is after these changes. */
export const withChanges = (config: Config, changes: ReadonlyMap<string, string>): Config =>
  new Map([...config, ...changes])
