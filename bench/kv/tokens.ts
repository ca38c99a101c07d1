import { issuers } from '../../actors/trust-matrix.ts'
import { file } from '../../boot/init.ts'
import type { RunningZone } from '../../boot/up.ts'
import type { Platform, SigningKey } from '../../runtime/platform/ports.ts'
import { toBase64url } from '../../runtime/trust/base64url.ts'
import { signToken, tokenLifetimeSeconds, type TokenClaims } from '../../runtime/trust/token.ts'

export interface Tokens {
  /** The device's own session, as the node daemon makes it. */
  session(): string
  /** By the owner key; good for the one link that it comes by first. */
  root(): string
}

type Who = Pick<TokenClaims, 'iss' | 'sub' | 'appid' | 'runtime_type'>

export async function tokensOf({ clock, keys, random }: Platform, zone: RunningZone): Promise<Tokens> {
  const { identity: { device, zone: { epoch } }, config: { host }, files } = zone
  const owner = keys.importPem(new TextDecoder().decode(await files.read(file.ownerKey)))
  const token = (by: SigningKey, use: 'session' | 'root', who: Who): string => {
    const iat = Math.floor(clock.now() / 1000)
    return signToken(by, {
      ...who, aud: ['system-config'], iat, exp: iat + tokenLifetimeSeconds[use], jti: toBase64url(random.bytes(16)),
      token_use: use, epoch,
    })
  }
  return {
    session: () => token(device, 'session', { iss: host, sub: host, appid: 'node-daemon', runtime_type: 'ood' }),
    root: () => token(owner, 'root', { iss: issuers.root, sub: issuers.root, appid: 'cli', runtime_type: 'user' }),
  }
}
