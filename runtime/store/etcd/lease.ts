import type { ILeaseKeepAliveResponse } from 'etcd3'
import { LeaseExpired, Unavailable } from '../../errors.ts'
import { limits } from '../../limits.ts'
import type { Lease } from '../store.ts'
import type { Connection } from './connection.ts'

/** etcd counts in whole seconds and has a least time, so a lease may last longer than was asked for. */
export async function grant(connection: Connection, ttlMs: number): Promise<Lease> {
  const { leaseClient } = connection.client
  const { ID: id, TTL: seconds } = await connection.call(
    () => leaseClient.leaseGrant({ TTL: Math.ceil(ttlMs / 1_000) }),
    // One that was granted unheard ends by itself
    { repeatable: true },
  )
  return {
    id,
    ttlMs: Number(seconds) * 1_000,
    async keepAlive() {
      const { TTL: left } = await connection.call(() => keepAlive(connection, id), { repeatable: true })
      if (Number(left) <= 0) throw new LeaseExpired(`The lease has expired or was revoked: ${id}`, { lease: id })
    },
    async revoke() {
      await connection.call(() => leaseClient.leaseRevoke({ ID: id }), { repeatable: true }).catch((error: unknown) => {
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
