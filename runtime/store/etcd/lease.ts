import type { ILeaseKeepAliveResponse } from 'etcd3'
import { LeaseExpired, messageOf, Unavailable } from '../../errors.ts'
import { limits } from '../../limits.ts'
import type { Lease } from '../store.ts'
import type { CallOptions, Connection } from './connection.ts'

/**
 * etcd counts in whole seconds and has a least time, so a lease may last longer than was asked for.
 * @param wanted its id; without it etcd chooses one
 */
export async function grant(connection: Connection, ttlMs: number, wanted?: string): Promise<Lease> {
  const request = { TTL: Math.ceil(ttlMs / 1_000), ...(wanted !== undefined && { ID: wanted }) }
  const { ID: id, TTL: seconds } = await connection.call(
    (options) => connection.client.leaseClient.leaseGrant(request, options).catch((error: unknown) => {
      // Granted before, by a call whose answer was lost
      if (wanted !== undefined && /lease already exists/.test(messageOf(error))) return { ID: wanted, TTL: request.TTL }
      throw error
    }),
    // One that was granted unheard ends by itself
    { repeatable: true },
  )
  return leaseHandle(connection, id, Number(seconds) * 1_000)
}

/** Of one that was granted. */
export function leaseHandle(connection: Connection, id: string, ttlMs: number): Lease {
  return {
    id,
    ttlMs,
    async keepAlive() {
      const { TTL: left } = await connection.call(() => keepAlive(connection, id), { repeatable: true })
      if (Number(left) <= 0) throw new LeaseExpired(`The lease has expired or was revoked: ${id}`, { lease: id })
    },
    async revoke() {
      const revoke = (options: CallOptions): Promise<unknown> =>
        connection.client.leaseClient.leaseRevoke({ ID: id }, options)
      await connection.call(revoke, { repeatable: true }).catch((error: unknown) => {
        if (!(error instanceof LeaseExpired)) throw error
      })
    },
  }
}

/** A stream for one answer: how often to renew is the owner's decision. */
async function keepAlive(connection: Connection, id: string): Promise<ILeaseKeepAliveResponse> {
  const stream = await connection.client.leaseClient.leaseKeepAlive()
  try {
    return await new Promise((resolve, reject) => {
      const late = (): void => reject(new Unavailable('etcd did not answer in time'))
      const cancel = connection.clock.after(limits.storeCallMs, late)
      const settled = (settle: () => void) => (): void => {
        cancel()
        settle()
      }
      stream.on('data', (response: ILeaseKeepAliveResponse) => settled(() => resolve(response))())
      stream.on('error', (error: Error) => settled(() => reject(error))())
      stream.on('end', settled(() => reject(new Unavailable('etcd ended the stream'))))
      stream.write({ ID: id })
    })
  } finally {
    stream.cancel()
  }
}
