import type { Client, Infer } from '../../runtime/protocol.ts'
import { kv } from '../records.ts'
import type { SystemConfig } from '../system-config/protocol.ts'
import { inputPrefixes, policyKey } from './schedule.ts'

/** The key whose revision orders the rounds of all schedulers: of two that read the same state, one writes. */
export const roundKey = 'system/scheduler/snapshot'
/** Written by a scheduler that does not lead: asks the one that does for a round. */
export const askedKey = 'system/scheduler/asked'

/** Last segments of the keys that a round reads. What services keep beside them, it never sees. */
const leaves = ['config', 'doc', 'info', 'policy', 'settings', 'spec']

/** By prefix, the last segments of the keys of which a change may ask for a round. */
export const followed = [
  // What a host tells of itself changes nothing here
  { prefix: 'devices/', leaves: ['doc'] },
  { prefix: 'services/', leaves: ['info', 'spec'] },
  { prefix: 'users/', leaves: ['settings'] },
  { prefix: kv.hosts, leaves: undefined },
  { prefix: askedKey, leaves: undefined },
] as const

/** Of those, the keys of a device, service or user, and none of what belongs to an app or an instance of it. */
export const mayAsk = (key: string): boolean => key.split('/').length === 3

type Kv = Pick<Client<typeof SystemConfig>, 'dump'>
type Item = Infer<typeof SystemConfig.methods.dump.result>['items'][number]

export interface Inputs {
  readonly items: readonly Item[]
  readonly revision: number
}

/**
 * What a round is made from. The keys that guard its writes are read first: what is read of the others is never older,
 * so another scheduler that writes meanwhile makes the write fail, in however many pages the rest comes.
 */
export async function readInputs(systemConfig: Kv, token: () => string): Promise<Inputs> {
  const first = [kv.bootConfig, roundKey, policyKey, kv.hosts, askedKey]
  const guards = await systemConfig.dump({ prefixes: first }, { token: token() })
  const items = new Map(guards.items.map((item) => [item.key, item]))
  let { revision } = guards
  for (let after = ''; ;) {
    const page = await systemConfig.dump({ prefixes: [...inputPrefixes], leaves, page: { after } }, { token: token() })
    for (const item of page.items) if (!items.has(item.key)) items.set(item.key, item)
    revision = page.revision
    if (!page.more) return { items: [...items.values()], revision }
    after = page.items.at(-1)!.key
  }
}
