import { limits } from '../../runtime/limits.ts'
import type { PublicJwk } from '../../runtime/platform/ports.ts'
import { kv, type UserSettings } from '../records.ts'
import type { BootConfig } from '../system-config/protocol.ts'
import type { ZoneDocument } from '../zone-document.ts'
import { servicesOf } from './built-in.ts'
import type { ReadDevice } from '../read-device.ts'
import { schedule, type Config } from './schedule.ts'

export interface BootPlanInput {
  readonly zone: ZoneDocument
  /** The first OOD's device document, as the owner signed it. */
  readonly deviceDocument: string
  /** Those of the nodes that the zone begins with, by name. */
  readonly nodeDocuments: ReadonlyMap<string, string>
  readonly verifyHubKey: PublicJwk
  readonly readDevice: ReadDevice
  /** Services beside those of every zone, by name. */
  readonly asked?: ReadonlySet<string>
}

/** All keys of the first write, with what follows from them: the zone is whole after one transaction. */
export function bootPlan(input: BootPlanInput): Config {
  const { zone, deviceDocument, nodeDocuments, verifyHubKey, readDevice, asked } = input
  const boot: BootConfig = { zone: zone.zone, root: zone.root, verifyHub: [verifyHubKey], epoch: zone.epoch }
  const owner: UserSettings = { name: zone.owner, type: 'admin', state: 'active' }
  const given = new Map<string, string>([
    [kv.bootConfig, JSON.stringify(boot)],
    [kv.device(zone.host), deviceDocument],
    [kv.user(zone.owner), JSON.stringify(owner)],
    ...servicesOf(asked).map((spec): [string, string] => [kv.spec(spec.name), JSON.stringify(spec)]),
  ])
  // What ships with Zonewright runs on the first host; what is installed later is spread over all
  const first = new Map([...given, ...schedule(given, readDevice)])
  const nodes = [...nodeDocuments].map(([name, document]): [string, string] => [kv.device(name), document])
  const all = new Map([...first, ...nodes])
  const whole = new Map([...all, ...schedule(all, readDevice)])
  // Of more nodes than one transaction holds, the scheduler's first round writes the configs
  return whole.size <= limits.transactionOperations ? whole : all
}
