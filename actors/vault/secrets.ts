import { InvalidArgument } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import type { Clock } from '../../runtime/platform/ports.ts'
import { barrierView, type Barrier } from './barrier.ts'
import { createKvStore } from './kv/store.ts'
import { vaultPolicy } from './policy.ts'
import { SecretNotFound } from './protocol.ts'

/** Where what actors keep over their links lies, and what HTTP calls `secret/`. */
export const secretPrefix = 'secret/'

export interface Secrets {
  /** `cas` is the version that must be current, 0 for none; `kept` counts this one. @throws SecretVersionMismatch */
  put(path: string, value: string, cas: number | undefined, kept?: number): Promise<{ version: number }>
  /** @throws SecretNotFound */
  get(path: string): Promise<{ value: string; version: number }>
}

/** Secrets of actors, in the same store as those of HTTP, which says nothing about how they are kept. */
export function createSecrets({ barrier, clock }: { barrier: Barrier; clock: Clock }): Secrets {
  const store = createKvStore({ barrier: barrierView(barrier, secretPrefix), clock, unconfigured: true })
  return {
    async put(path, value, cas, kept = limits.vaultSecretVersions) {
      checkPath(path)
      const { version } = await store.put(path, { value }, { cas, kept })
      return { version: version.version }
    },
    async get(path) {
      checkPath(path)
      const found = await store.get(path)
      if (found?.value === undefined) throw new SecretNotFound(`There is no such secret: ${path}`, { path })
      return { value: found.value.value, version: found.version.version }
    },
  }
}

/** Folders of the secrets that actors keep: by links alone, whatever the policies of a token say. */
export const linkFolders: readonly string[] = [...new Set(vaultPolicy
  .filter(({ methods }) => methods.includes('putSecret') || methods.includes('getSecret'))
  .map(({ resource }) => resource))]

function checkPath(path: string): void {
  const segments = path.split('/')
  const wellFormed = segments.every((segment) => /^[A-Za-z0-9._-]+$/.test(segment) && !/^\.+$/.test(segment))
  if (!wellFormed || path.length > limits.vaultSecretPath) {
    throw new InvalidArgument('A secret path is words of letters, digits, dot, underscore and hyphen, joined by /')
  }
}
