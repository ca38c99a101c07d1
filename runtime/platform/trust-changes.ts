import type { TrustedDevice, WorkerControl } from '../worker.ts'

/** How a list of hosts differs from the one before: a thousand hosts are not told anew to each worker for every one. */
export interface TrustChanges {
  /** All of it: there was none before. */
  readonly anew: boolean
  readonly put: readonly TrustedDevice[]
  /** Names. */
  readonly gone: readonly string[]
}

/** All workers of a host are told the same, one after another. */
const known = new WeakMap<readonly TrustedDevice[], readonly [to: readonly TrustedDevice[], TrustChanges]>()

export function trustChanges(from: readonly TrustedDevice[] | undefined, to: readonly TrustedDevice[]): TrustChanges {
  if (!from) return { anew: true, put: to, gone: [] }
  const found = known.get(from)
  if (found?.[0] === to) return found[1]
  // Of a host that is listed twice the last counts, as to whoever reads a whole list
  const [before, now] = [byHost(from), byHost(to)]
  const put = [...now.values()].filter((device) => !isSame(before.get(device.host), device))
  const gone = [...before.keys()].filter((host) => !now.has(host))
  const changes = { anew: false, put, gone }
  known.set(from, [to, changes])
  return changes
}

const byHost = (devices: readonly TrustedDevice[]): ReadonlyMap<string, TrustedDevice> =>
  new Map(devices.map((device) => [device.host, device]))

const isSame = (before: TrustedDevice | undefined, { role, jwk: { kty, crv, x } }: TrustedDevice): boolean =>
  before?.role === role && before.jwk.x === x && before.jwk.kty === kty && before.jwk.crv === crv

/** The other end of it: whole lists again. */
export function trustOf(tell: WorkerControl['trust']): (changes: TrustChanges) => Promise<void> {
  const devices = new Map<string, TrustedDevice>()
  return ({ anew, put, gone }) => {
    if (anew) devices.clear()
    for (const host of gone) devices.delete(host)
    for (const device of put) devices.set(device.host, device)
    return tell([...devices.values()])
  }
}
