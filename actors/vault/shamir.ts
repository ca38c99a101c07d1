import { InvalidArgument } from '../../runtime/errors.ts'
import type { Random } from '../../runtime/platform/ports.ts'

/**
 * Shamir's secret sharing over GF(2⁸), one polynomial per byte. A share is laid out as HashiCorp Vault's: the values
 * of the polynomials, then their x. Our own because the packages take their randomness from the platform's global.
 */
export function split(secret: Uint8Array, shares: number, threshold: number, random: Random): Uint8Array[] {
  if (threshold < 2 || shares < threshold || shares > 255) {
    throw new InvalidArgument(`Shares must be 2 ≤ threshold ≤ shares ≤ 255: ${threshold} of ${shares}`)
  }
  if (secret.length === 0) throw new InvalidArgument('The secret to split is empty')
  const result = coordinates(shares, random).map((x) => {
    const share = new Uint8Array(secret.length + 1)
    share[secret.length] = x
    return share
  })
  // A leading coefficient of zero is allowed: excluding it would tell something of the secret.
  const coefficients = random.bytes((threshold - 1) * secret.length)
  for (const share of result) {
    const x = byteAt(share, secret.length)
    for (let index = 0; index < secret.length; index++) {
      let y = 0
      for (let degree = threshold - 2; degree >= 0; degree--) {
        y = multiply(y ^ byteAt(coefficients, degree * secret.length + index), x)
      }
      share[index] = y ^ byteAt(secret, index)
    }
  }
  coefficients.fill(0)
  return result
}

/**
 * The secret, if these are at least `threshold` shares of one split; otherwise some other bytes: the caller must check.
 * @throws InvalidArgument on shares that cannot belong together
 */
export function combine(shares: readonly Uint8Array[]): Uint8Array {
  const length = shares[0]?.length ?? 0
  if (shares.length < 2 || length < 2) throw new InvalidArgument(`At least two shares are needed: ${shares.length}`)
  if (shares.some((share) => share.length !== length)) throw new InvalidArgument('The shares differ in length')
  const xs = shares.map((share) => byteAt(share, length - 1))
  if (xs.includes(0)) throw new InvalidArgument('A share has the coordinate zero')
  if (new Set(xs).size !== xs.length) throw new InvalidArgument('A share was given twice')

  const secret = new Uint8Array(length - 1)
  shares.forEach((share, index) => {
    const weight = lagrangeAtZero(xs, index)
    for (let at = 0; at < secret.length; at++) secret[at] = byteAt(secret, at) ^ multiply(byteAt(share, at), weight)
  })
  return secret
}

/** Distinct x from 1 to 255: the start of a Fisher–Yates shuffle, without modulo bias. */
function coordinates(count: number, random: Random): number[] {
  const all = Array.from({ length: 255 }, (_, index) => index + 1)
  for (let at = 0; at < count; at++) {
    const from = at + below(255 - at, random)
    const [left, right] = [all[at] ?? 0, all[from] ?? 0]
    all[at] = right
    all[from] = left
  }
  return all.slice(0, count)
}

function below(bound: number, random: Random): number {
  const unbiased = 256 - (256 % bound)
  for (;;) {
    const byte = byteAt(random.bytes(1), 0)
    if (byte < unbiased) return byte % bound
  }
}

function lagrangeAtZero(xs: readonly number[], index: number): number {
  const own = xs[index] ?? 0
  return xs.reduce((weight, x, other) => (other === index ? weight : multiply(weight, multiply(x, invert(x ^ own)))), 1)
}

/** In GF(2⁸) modulo x⁸+x⁴+x³+x+1, without a table or a branch that depends on a secret. */
function multiply(left: number, right: number): number {
  let product = 0
  let shifted = left
  for (let bit = 0; bit < 8; bit++) {
    product ^= shifted & -((right >> bit) & 1)
    shifted = (shifted << 1) ^ (0x11b & -(shifted >> 7))
  }
  return product
}

/** a²⁵⁴ = a⁻¹. */
function invert(value: number): number {
  let result = 1
  let square = value
  for (let bit = 1; bit < 8; bit++) {
    square = multiply(square, square)
    result = multiply(result, square)
  }
  return result
}

const byteAt = (bytes: Uint8Array, index: number): number => bytes[index] ?? 0
