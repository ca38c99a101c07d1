import type { Frame } from '../../../runtime/platform/ports.ts'
import { toBase64url } from '../../../runtime/trust/base64url.ts'
import { tokenTypes } from '../../../runtime/trust/token.ts'
import { file } from '../../init.ts'
import type { Checks, Scene } from '../invariants.ts'

/** Files of a zone's folder whose purpose is a secret. */
const keeps = [file.ownerKey, file.deviceKey, file.unsealKey, file.recoveryShares]
const OTHERS = 0o077
/** How the header of each kind of token begins, as base64url: up to the last whole three bytes of its type. */
const tokenHeaders = Object.values(tokenTypes).map((type) => {
  const header = new TextEncoder().encode(`{"alg":"EdDSA","typ":"${type}`)
  return toBase64url(header.subarray(0, header.length - (header.length % 3)))
})
/** Every byte is one character, and whatever is text in it is found. */
const latin1 = new TextDecoder('latin1')

export function noSecretInClear({ secrets, broken }: Scene): Checks {
  const look = (what: string, contents: Frame): void => {
    const text = typeof contents === 'string' ? contents : latin1.decode(contents)
    for (const secret of secrets) if (text.includes(secret)) return broken(`${what} holds one in clear`)
    // Documents are signed alike, and are for everybody
    for (const header of tokenHeaders) if (text.includes(header)) return broken(`${what} holds a token in clear`)
  }
  return {
    commit(path, changes) {
      for (const { writes } of changes) {
        for (const { key, entry } of writes) {
          look(`the name of ${key} in ${path}`, key)
          if (entry) look(`${key} in ${path}`, entry.value)
        }
      }
    },
    told: (text) => look('what is logged or told', text),
    frame: (from, to, frame) => look(`a frame from ${from} to ${to}`, frame),
    file(path, contents, mode) {
      if (!keeps.some((name) => path.includes(`/${name}`))) look(path, contents)
      else if ((mode & OTHERS) !== 0) broken(`${path} may be read by others: ${mode.toString(8)}`)
    },
  }
}
