import { fromBase64url } from '../../../../runtime/trust/base64url.ts'
import { badRequest, hex } from '../answer.ts'
import type { Fields } from '../fields.ts'

/** Shares as Vault tells them. */
export const sharesTold = (shares: readonly Uint8Array[]): object => ({
  keys: shares.map(hex), keys_base64: shares.map((share) => btoa(String.fromCharCode(...share))),
})

/** Hexadecimal, or base64 in either alphabet. @throws Fault 400 */
export function shareOf(fields: Fields): Uint8Array {
  const text = fields.needed('key').trim()
  if (text.length <= 256 && text.length % 2 === 0 && /^[0-9a-fA-F]+$/.test(text)) {
    return Uint8Array.from(text.match(/../g)!, (pair) => Number.parseInt(pair, 16))
  }
  const share = fromBase64url(text.replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, ''))
  if (!share || text.length > 256) throw badRequest("'key' must be a valid hex or base64 string")
  return share
}

/** How the root key is to be split. @throws Fault 400 */
export function splitOf(fields: Fields): { readonly shares: number; readonly threshold: number } {
  if ((fields.words('pgp_keys') ?? []).length > 0) throw badRequest('shares are not encrypted by PGP keys here')
  const [shares, threshold] = ['secret_shares', 'secret_threshold'].map((name) => {
    const value = fields.whole(name, { min: 1, max: 255 })
    if (value === undefined) throw badRequest(`missing ${name}`)
    return value
  })
  return { shares: shares!, threshold: threshold! }
}
