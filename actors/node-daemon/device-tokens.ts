import type { Clock, Random, SigningKey } from '../../runtime/platform/ports.ts'
import { toBase64url } from '../../runtime/trust/base64url.ts'
import { signToken, tokenLifetimeSeconds } from '../../runtime/trust/token.ts'

/** The device that signs, and when. */
export interface DeviceSigner {
  readonly key: SigningKey
  readonly host: string
  readonly epoch: number
  readonly clock: Clock
  readonly random: Random
}

/** Renewed this long before its end, so that no call carries one that is about to end. */
const RENEW_SECONDS = 60

const nowSeconds = ({ clock }: DeviceSigner): number => Math.floor(clock.now() / 1000)
/** Random: two in the same second differ (a fault of the originals). */
const newId = ({ random }: DeviceSigner): string => toBase64url(random.bytes(16))

/** OOD only, LOGIN_TYPE self: this device's own session for the system-config of its host, renewed before it ends. */
export function deviceSession(signer: DeviceSigner, linkKid: string): () => string {
  const { key, host, epoch } = signer
  let current = { token: '', iat: 0, exp: 0 }
  return () => {
    const iat = nowSeconds(signer)
    // Of a clock that was set back meanwhile it would come from the future, and be refused
    if (iat >= current.iat && current.exp - iat > RENEW_SECONDS) return current.token
    const exp = iat + tokenLifetimeSeconds.session
    const token = signToken(key, {
      iss: host, sub: host, aud: ['system-config'], iat, exp, jti: newId(signer), token_use: 'session',
      appid: 'node-daemon', runtime_type: 'ood', cnf: { jkt: linkKid }, epoch,
    })
    current = { token, iat, exp }
    return token
  }
}

/** A login token for what runs on this host: for the device, or for the owner of an app service. */
export function loginToken(
  signer: DeviceSigner, { appid, owner, runtimeType }: { appid: string; owner: string | null; runtimeType: string },
): string {
  const { key, host, epoch } = signer
  const iat = nowSeconds(signer)
  return signToken(key, {
    iss: host, sub: owner ?? host, aud: ['verify-hub'], iat, exp: iat + tokenLifetimeSeconds.login, jti: newId(signer),
    token_use: 'login', appid, runtime_type: runtimeType, epoch,
  })
}
