import type { Frame } from '../../../runtime/platform/ports.ts'
import { file } from '../../init.ts'
import type { Checks, Scene } from '../invariants.ts'

/** Files of a zone's folder whose purpose is a secret. */
const keeps = [file.ownerKey, file.deviceKey, file.unsealKey, file.recoveryShares]
const OTHERS = 0o077
/** Every byte is one character, and whatever is text in it is found. */
const latin1 = new TextDecoder('latin1')

export function noSecretInClear({ secrets, broken }: Scene): Checks {
  const look = (what: string, contents: Frame): void => {
    const text = typeof contents === 'string' ? contents : latin1.decode(contents)
    for (const secret of secrets) if (text.includes(secret)) return broken(`${what} holds one in clear`)
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
    frame: (from, to, frame) => look(`a frame from ${from} to ${to}`, frame),
    file(path, contents, mode) {
      if (!keeps.some((name) => path.includes(`/${name}`))) look(path, contents)
      else if ((mode & OTHERS) !== 0) broken(`${path} may be read by others: ${mode.toString(8)}`)
    },
  }
}
