import { Buffer } from 'node:buffer'
import type { IKeyValue } from 'etcd3'
import type { Entry, Event } from '../store.ts'

/** A range of etcd's keys: from `key` up to and without `range_end`. */
export interface KeyRange {
  readonly key: Buffer
  readonly range_end: Buffer
}

/** Where one store's keys lie in etcd: below its prefix, apart from the store's own record. */
export class Keyspace {
  /** Holds the store's id. */
  readonly idKey: Buffer
  readonly #root: Buffer

  constructor(prefix: string) {
    const root = `${prefix.replace(/\/+$/, '')}/`
    this.idKey = Buffer.from(`${root}id`)
    this.#root = Buffer.from(`${root}keys/`)
  }

  key(key: string): Buffer {
    return Buffer.concat([this.#root, Buffer.from(key)])
  }

  /** All keys with a prefix, or of those the ones behind `after`. */
  range(prefix: string, after?: string): KeyRange {
    const start = this.key(prefix)
    const behind = after === undefined ? start : Buffer.concat([this.key(after), Buffer.of(0)])
    return { key: Buffer.compare(behind, start) > 0 ? behind : start, range_end: prefixEnd(start) }
  }

  entry(found: IKeyValue): Entry {
    return {
      key: this.#name(found),
      value: new Uint8Array(found.value),
      createRevision: Number(found.create_revision),
      modRevision: Number(found.mod_revision),
      version: Number(found.version),
      ...(found.lease !== '0' && { lease: found.lease }),
    }
  }

  event(type: 'Put' | 'Delete', found: IKeyValue): Event {
    return {
      type: type === 'Put' ? 'put' : 'delete',
      key: this.#name(found),
      value: new Uint8Array(found.value),
      revision: Number(found.mod_revision),
    }
  }

  #name({ key }: IKeyValue): string {
    return key.subarray(this.#root.length).toString('utf8')
  }
}

/** The first key behind all that start so. Never empty: the root ends with `/`. */
function prefixEnd(prefix: Buffer): Buffer {
  let length = prefix.length
  while (prefix[length - 1] === 0xff) length--
  const end = Buffer.from(prefix.subarray(0, length))
  end[length - 1] = (end[length - 1] as number) + 1
  return end
}
