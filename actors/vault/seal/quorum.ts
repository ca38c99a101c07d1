import { InvalidArgument } from '../../../runtime/errors.ts'
import type { Keys, Random } from '../../../runtime/platform/ports.ts'
import { keyBytes } from '../keyring.ts'
import { VaultSealed } from '../protocol.ts'
import { hasKeyId, type SealConfig } from '../seal-config.ts'
import { combine } from '../shamir.ts'

export interface Offered {
  /** Shares that it has now. */
  readonly progress: number
  /** This share was given before: it counts once. */
  readonly duplicate: boolean
  /** Of the vault, once there are enough shares; then none of them is kept. For its taker to overwrite. */
  readonly rootKey?: Uint8Array
}

/** Shares that people bring one by one, until there are enough of them for the root key. */
export class Quorum {
  readonly #keys: Keys
  readonly #random: Random
  #shares: Uint8Array[] = []
  #rootKeyId: string | undefined
  /** Names this gathering: another one has another. '' before it is begun. */
  nonce = ''

  constructor(keys: Keys, random: Random) {
    this.#keys = keys
    this.#random = random
  }

  get progress(): number {
    return this.#shares.length
  }

  /** Forgets what there was; the first share does as much where there is nothing. */
  begin(): string {
    this.reset()
    this.nonce = uuid(this.#random.bytes(16))
    return this.nonce
  }

  reset(): void {
    this.#forget()
    this.nonce = ''
  }

  /**
   * @throws InvalidArgument when it is no share, which changes nothing; VaultSealed when there are enough and they do
   * not give the root key: then they are forgotten, since nobody can tell which of them is wrong
   */
  offer(share: Uint8Array, config: SealConfig): Offered {
    const { threshold, rootKeyId } = config
    const length = threshold === 1 ? keyBytes : keyBytes + 1
    if (share.length !== length) throw new InvalidArgument(`A share of this vault has ${length} bytes: ${share.length}`)
    // Those of before a rekey are worth nothing now
    if (this.#rootKeyId !== rootKeyId) this.#forget()
    if (this.nonce === '') this.begin()
    this.#rootKeyId = rootKeyId
    if (this.#shares.some((given) => this.#keys.equal(given, share))) {
      return { progress: this.progress, duplicate: true }
    }
    // Copies: `slice` of a Buffer is none
    this.#shares.push(Uint8Array.from(share))
    if (this.#shares.length < threshold) return { progress: this.progress, duplicate: false }
    const progress = this.#shares.length
    const rootKey = rootOf(this.#shares, threshold)
    this.#forget()
    if (rootKey && hasKeyId('root', rootKey, config, this.#keys)) return { progress, duplicate: false, rootKey }
    throw new VaultSealed('These shares do not open the vault, one of them at least is not its own: all are forgotten; '
      + 'begin again', { reason: 'shares' })
  }

  #forget(): void {
    for (const share of this.#shares) share.fill(0)
    this.#shares = []
    this.#rootKeyId = undefined
  }
}

function rootOf(shares: readonly Uint8Array[], threshold: number): Uint8Array | undefined {
  if (threshold === 1) return Uint8Array.from(shares[0]!)
  try {
    return combine(shares)
  } catch {
    return undefined
  }
}

/** RFC 9562, version 4: what clients of Vault know. */
function uuid(bytes: Uint8Array): string {
  bytes[6] = (bytes[6]! & 0x0f) | 0x40
  bytes[8] = (bytes[8]! & 0x3f) | 0x80
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}
