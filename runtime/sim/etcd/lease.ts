import type { LeaseRecord } from '../../store/change.ts'
import type { Lease } from '../../store/store.ts'
import type { Connection } from './connection.ts'
import type { Contents } from './contents.ts'

/** A handle on a lease of the cluster. */
export const leaseHandle = (connection: Connection, contents: Contents, { id, ttlMs }: LeaseRecord): Lease => ({
  id, ttlMs,
  keepAlive: () => connection.read('keep-alive', id, () => contents.keepAlive(id)),
  revoke: () => connection.write('revoke', id, () => contents.endLease(id), { repeatable: true }),
})
