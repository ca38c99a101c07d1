import { file } from '../../boot/init.ts'
import type { RunningZone } from '../../boot/up.ts'
import type { Platform } from '../../runtime/platform/ports.ts'
import { toBase64url } from '../../runtime/trust/base64url.ts'
import { signToken } from '../../runtime/trust/token.ts'

/** Good on one link, once, or for as long as that link lives; as the owner would make it. */
export async function rootToken(
  zone: RunningZone, { keys, clock, random }: Platform, ageSeconds = 0,
): Promise<string> {
  const key = keys.importPem(new TextDecoder().decode((await zone.files.read(file.ownerKey))!))
  const iat = Math.floor(clock.now() / 1000) - ageSeconds
  return signToken(key, {
    iss: 'root', sub: 'root', aud: ['system-config'], iat, exp: iat + 300, jti: toBase64url(random.bytes(16)),
    token_use: 'root', appid: 'cli', runtime_type: 'user', epoch: 0,
  })
}
