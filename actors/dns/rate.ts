import { limits } from '../../runtime/limits.ts'

interface Bucket {
  left: number
  atMs: number
}

/**
 * How much one network is answered by UDP, where anybody may ask in the name of another: so many answers a second that
 * a resolver is served well, and a victim of forged queries is sent little.
 */
export class Rates {
  /** Those that asked last are at the end. */
  readonly #buckets = new Map<string, Bucket>()

  get size(): number {
    return this.#buckets.size
  }

  /** Whether this network is answered now. `nowMs`: monotonic. */
  admits(address: string, nowMs: number): boolean {
    const network = networkOf(address)
    const full = 2 * limits.dnsQueriesPerSecond
    const bucket = this.#buckets.get(network) ?? { left: full, atMs: nowMs }
    bucket.left = Math.min(full, bucket.left + (nowMs - bucket.atMs) * limits.dnsQueriesPerSecond / 1_000)
    bucket.atMs = nowMs
    this.#buckets.delete(network)
    this.#buckets.set(network, bucket)
    if (this.#buckets.size > limits.dnsNetworks) this.#buckets.delete(this.#buckets.keys().next().value!)
    if (bucket.left < 1) return false
    bucket.left--
    return true
  }
}

/** /24 of IPv4, /56 of IPv6: whoever has one address there has the others as well. */
export function networkOf(address: string): string {
  const plain = address.toLowerCase().replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/, '').replace(/%.*$/, '')
  if (!plain.includes(':')) return plain.split('.').slice(0, 3).join('.')
  const [left = '', right] = plain.split('::')
  const head = left === '' ? [] : left.split(':')
  const tail = right === undefined || right === '' ? [] : right.split(':')
  const zeros = right === undefined ? 0 : Math.max(0, 8 - head.length - tail.length)
  const groups = [...head, ...Array.from({ length: zeros }, () => '0'), ...tail]
  const [first = '0', second = '0', third = '0', fourth = '0'] = groups
  return [first, second, third, (parseInt(fourth, 16) >> 8).toString(16)].join(':')
}
