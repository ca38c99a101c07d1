import type { PublicJwk } from '../../runtime/platform/ports.ts'
import { kv, type ServiceSpec, type UserSettings } from '../records.ts'
import type { BootConfig } from '../system-config/protocol.ts'
import type { ZoneDocument } from '../zone-document.ts'
import { schedule, type Config, type ReadDevice } from './schedule.ts'

const ownSpec = (
  name: string, runtimeType: ServiceSpec['runtimeType'], kernel: boolean, audiences: string[],
): ServiceSpec => ({ name, appid: name, owner: null, runtimeType, kernel, audiences })

/** What every zone runs from its first boot on. */
export const firstServices: readonly ServiceSpec[] = [
  ownSpec('gateway', 'gateway', true, ['system-config']),
  ownSpec('scheduler', 'kernel-service', true, ['system-config']),
  ownSpec('service', 'service', false, ['system-config']),
  ownSpec('verify-hub', 'kernel-service', true, []),
]

export interface BootPlanInput {
  readonly zone: ZoneDocument
  /** The first OOD's device document, as the owner signed it. */
  readonly deviceDocument: string
  readonly verifyHubKey: PublicJwk
  readonly readDevice: ReadDevice
}

/** All keys of the first write, with what follows from them: the zone is whole after one transaction. */
export function bootPlan({ zone, deviceDocument, verifyHubKey, readDevice }: BootPlanInput): Config {
  const boot: BootConfig = { zone: zone.zone, root: zone.root, verifyHub: [verifyHubKey], epoch: zone.epoch }
  const owner: UserSettings = { name: zone.owner, type: 'admin', state: 'active' }
  const given = new Map<string, string>([
    [kv.bootConfig, JSON.stringify(boot)],
    [kv.device(zone.host), deviceDocument],
    [kv.user(zone.owner), JSON.stringify(owner)],
    ...firstServices.map((spec): [string, string] => [kv.spec(spec.name), JSON.stringify(spec)]),
  ])
  return new Map([...given, ...schedule(given, readDevice)])
}
