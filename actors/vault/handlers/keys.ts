import { bootStep } from '../../boot-steps.ts'
import type { Area, VaultHandlers } from '../guarded.ts'

/** The key that the documented boot is about. */
const HUB_KEY = 'verify-hub'

type Methods = 'ensureKey' | 'keyVersions' | 'rotateKey' | 'destroyKeysBefore' | 'readKey'

/** Keys by name, in versions. */
export function keyHandlers({ start: { step, log }, guarded }: Area): Pick<VaultHandlers, Methods> {
  const byName = ({ name }: { readonly name: string }): string => name
  return {
    ensureKey: guarded.open('ensureKey', byName, async ({ name }, { vault, note }) => {
      const key = await vault.namedKeys.ensure(name)
      note({ kid: key.kid, created: key.created })
      if (name === HUB_KEY) step('boot', bootStep.vaultKeyEnsured, { kid: key.kid, created: key.created })
      return key
    }),
    keyVersions: guarded.open('keyVersions', byName, async ({ name }, { vault }) => [
      ...await vault.namedKeys.versions(name),
    ]),
    rotateKey: guarded.open('rotateKey', byName, async ({ name, after }, { vault, note }) => {
      const { created, ...version } = await vault.namedKeys.next(name, after)
      note({ kid: version.kid, created })
      if (created) log.info('The next version of a key was made', { name, kid: version.kid })
      return { ...version, created }
    }),
    destroyKeysBefore: guarded.open('destroyKeysBefore', byName, async ({ name, kid }, { vault, note }) => {
      const destroyed = await vault.namedKeys.destroyBefore(name, kid)
      note({ kid, destroyed })
      if (destroyed > 0) log.info('Versions of a key were destroyed', { name, before: kid, destroyed })
      return { destroyed }
    }),
    readKey: guarded.open('readKey', byName, async ({ name, kid }, { vault, peer, note, refuse }) => {
      const key = await vault.namedKeys.readOnce(name, kid, peer)
      if (key === undefined) throw refuse('this incarnation was given the key before')
      note({ kid: key.kid })
      step('boot', bootStep.vaultKeyRead, { kid: key.kid })
      return key
    }),
  }
}
