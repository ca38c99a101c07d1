import { array, looseObject, number, picklist, string } from 'valibot'
import type { Infer } from '../../runtime/protocol.ts'
import { actorsNamed, readHosts } from './hosts.ts'
import { shapeOf } from './kv.ts'
import { actualOf, isDown, readService } from './services.ts'
import { until } from './until.ts'
import type { ZoneClient } from './zone-client.ts'

const Drained = looseObject({
  host: string(), state: picklist(['running', 'draining', 'stopped']), revision: number(),
  placed: array(looseObject({ name: string(), reason: string() })),
})
export type Drained = Infer<typeof Drained>

/** @throws NotFound, InvalidArgument */
export const drainHost = async (client: ZoneClient, method: 'drain' | 'undrain', host: string): Promise<Drained> =>
  shapeOf(Drained, await client.call('scheduler', method, { host }), 'what is left on a host')

/** What of a host's services has left it and serves elsewhere. */
export interface Left {
  readonly name: string
  readonly hosts: readonly string[]
}

export interface Leaving {
  readonly host: string
  /** Names of what was there and is placed there no more. */
  readonly names: readonly string[]
  readonly withinMs: number
  readonly tell: (left: Left) => void
}

/** Settles with the names of those that have not arrived in time. */
export async function hasLeft(
  client: ZoneClient, { host, names, withinMs, tell }: Leaving,
): Promise<readonly string[]> {
  const waiting = new Set(names)
  await until(client, withinMs, async () => {
    const hosts = await readHosts(client)
    for (const name of waiting) {
      const isHere = actorsNamed(hosts, name).some((each) => each.host === host && !isDown(each.actor))
      const service = await readService(client, name)
      if (isHere || (service && !actualOf(service, hosts).ok)) continue
      waiting.delete(name)
      tell({ name, hosts: service?.hosts ?? [] })
    }
    return waiting.size === 0 ? true : undefined
  })
  return [...waiting]
}
