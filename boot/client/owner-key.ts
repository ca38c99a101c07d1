import { issuers } from '../../actors/trust-matrix.ts'
import { InvalidArgument } from '../../runtime/errors.ts'
import type { Platform, SigningKey } from '../../runtime/platform/ports.ts'
import { toBase64url } from '../../runtime/trust/base64url.ts'
import { signToken, tokenLifetimeSeconds } from '../../runtime/trust/token.ts'
import { OwnerKeyNeeded } from '../errors.ts'

export const rootLifetimeSeconds = tokenLifetimeSeconds.root

/**
 * A token for one action, good once and for one actor alone, by default system-config. Opens the key, signs, and keeps
 * nothing of it.
 * @throws OwnerKeyNeeded when the file is no key, or its passphrase is missing or wrong
 */
export function signRootToken(
  { keys, clock, random }: Platform, pem: string,
  options: { path: string; passphrase?: string; epoch: number; audience?: string },
): string {
  const { path, passphrase, epoch, audience = 'system-config' } = options
  let key: SigningKey
  try {
    key = keys.importPem(pem, passphrase)
  } catch (error) {
    if (!(error instanceof InvalidArgument)) throw error
    const next = passphrase === undefined ? 'Give its passphrase with --owner-passphrase-file' : 'Check the passphrase'
    throw new OwnerKeyNeeded(`The owner key cannot be read: ${path}: ${error.message}`, { path, next })
  }
  const iat = Math.floor(clock.now() / 1000)
  return signToken(key, {
    iss: issuers.root, sub: issuers.root, aud: [audience], iat, exp: iat + rootLifetimeSeconds,
    jti: toBase64url(random.fork('root token').bytes(16)), token_use: 'root', appid: 'console', runtime_type: 'user',
    epoch,
  })
}
