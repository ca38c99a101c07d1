import { array, boolean, integer, number, object, pipe, type Infer } from '../../../runtime/protocol.ts'
import type { Entry, Operation } from '../../../runtime/store/store.ts'
import { readRecord } from '../../records.ts'
import { Revoked } from '../protocol.ts'

/** Beside `kv/`: nobody reads or writes these as configuration. */
export const SHARED = 'enforcement/'
/** Written by each transaction that changes what is enforced: what it was. Its revision is that of the change. */
export const NEWS = `${SHARED}news`
/** Of each system-config, under its own lease: the last news that all its enforcers go by. */
export const HOSTS = `${SHARED}hosts/`

const News = object({ boot: boolean(), rbac: boolean(), revoked: array(Revoked) })
export type News = Infer<typeof News>

const count = pipe(number(), integer())
const Acknowledged = object({ news: count })

const encoder = new TextEncoder()
const decoder = new TextDecoder()

export const newsOperation = (news: Partial<News>): Operation => ({
  type: 'put', key: NEWS, value: encoder.encode(JSON.stringify({ boot: false, rbac: false, revoked: [], ...news })),
})
export const readNews = (value: Uint8Array): News => readRecord(News, NEWS, decoder.decode(value))

export const acknowledgement = (news: number): Uint8Array => encoder.encode(JSON.stringify({ news }))
export const readAcknowledged = ({ key, value }: Pick<Entry, 'key' | 'value'>): number =>
  readRecord(Acknowledged, key, decoder.decode(value)).news
