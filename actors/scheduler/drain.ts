import { InvalidArgument, NotFound } from '../../runtime/errors.ts'
import type { Client } from '../../runtime/protocol.ts'
import { kv, NodeConfig, readRecord, ServiceInfo } from '../records.ts'
import type { OwnSession } from '../session.ts'
import type { SystemConfig } from '../system-config/protocol.ts'

export interface DrainOptions {
  readonly systemConfig: Pick<Client<typeof SystemConfig>, 'get' | 'setByJsonPath'>
  readonly session: Pick<OwnSession, 'token'>
  readonly round: () => Promise<{ readonly revision: number }>
}

/** What a host is to be, and what is placed on it then. */
export interface Drained {
  readonly host: string
  readonly state: NodeConfig['state']
  readonly revision: number
  /** `reason`: why it does not go elsewhere. */
  readonly placed: readonly { readonly name: string; readonly reason: string }[]
}

/**
 * Lets nothing new come to a host, and what is there go elsewhere; or takes that back, and then nothing moves.
 * @throws NotFound, InvalidArgument where the host is stopped, which is more
 */
export function createDrain({ systemConfig, session, round }: DrainOptions) {
  const read = async (host: string): Promise<NodeConfig> => {
    const item = await systemConfig.get({ key: kv.node(host) }, { token: session.token() })
    if (!item) throw new NotFound(`There is no such host: ${host}`, { host })
    return readRecord(NodeConfig, kv.node(host), item.value)
  }
  const reasonOf = async (name: string): Promise<string> => {
    const item = await systemConfig.get({ key: kv.info(name) }, { token: session.token() })
    return item ? readRecord(ServiceInfo, kv.info(name), item.value).reason ?? '' : ''
  }
  return async (host: string, state: 'running' | 'draining'): Promise<Drained> => {
    const before = await read(host)
    if (before.state === 'stopped') throw new InvalidArgument(`The host is stopped: ${host}`, { host })
    if (before.state !== state) {
      const set = { key: kv.node(host), path: '/state', value: JSON.stringify(state) }
      await systemConfig.setByJsonPath(set, { token: session.token() })
    }
    const { revision } = await round()
    const after = await read(host)
    const names = Object.keys(after.services).filter((name) => after.services[name]?.target === 'running').sort()
    const placed = await Promise.all(names.map(async (name) => ({ name, reason: await reasonOf(name) })))
    return { host, state: after.state, revision, placed }
  }
}
