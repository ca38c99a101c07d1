import { Buffer } from 'node:buffer'
import type { Clock } from '../../platform/ports.ts'
import { Connection, type EtcdCredentials } from './connection.ts'

/** A cluster, as it says of itself. */
export interface EtcdAnswer {
  readonly clusterId: string
  /** Who answered. */
  readonly memberId: string
  readonly revision: number
}

/** A linearizable read, which only a cluster with a leader answers. @throws Unavailable, Denied, InvalidArgument */
export async function lookAtEtcd({ endpoints, credentials, clock }: {
  endpoints: readonly string[]
  credentials: EtcdCredentials
  clock: Clock
}): Promise<EtcdAnswer> {
  const connection = new Connection(endpoints, credentials, clock)
  try {
    const { header } = await connection.call(
      () => connection.client.kv.range({ key: Buffer.from([ANY]), count_only: true }), { repeatable: true })
    return { clusterId: hex(header.cluster_id), memberId: hex(header.member_id), revision: Number(header.revision) }
  } finally {
    connection.close()
  }
}

/** A key, it does not matter which: `/`. */
const ANY = 0x2f

/** As etcdctl writes it. */
const hex = (id: string): string => BigInt(id).toString(16)
