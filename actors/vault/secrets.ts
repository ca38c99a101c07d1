import { InvalidArgument, Overloaded } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import type { Clock } from '../../runtime/platform/ports.ts'
import { array, integer, minValue, number, object, pipe, string } from '../../runtime/protocol.ts'
import type { Barrier, Change } from './barrier.ts'
import { SecretNotFound, SecretVersionMismatch } from './protocol.ts'
import { damaged } from './record.ts'

const version = pipe(number(), integer(), minValue(1))

/** As in KV version 2: one entry says which versions there are, and each version is an entry of its own. */
const Metadata = object({
  current: version,
  versions: array(object({ version, /** Epoch milliseconds. */ createdAt: number() })),
})
const Value = object({ value: string() })

const metadataPath = (path: string): string => `secret/metadata/${path}`
const versionPath = (path: string, of: number): string => `secret/versions/${path}/${of}`

export interface Secrets {
  /** `cas` is the version that must be current, 0 for none; `kept` counts this one. @throws SecretVersionMismatch */
  put(path: string, value: string, cas: number | undefined, kept?: number): Promise<{ version: number }>
  /** @throws SecretNotFound */
  get(path: string): Promise<{ value: string; version: number }>
}

export function createSecrets({ barrier, clock }: { barrier: Barrier; clock: Clock }): Secrets {
  const attemptsMax = limits.vaultTransactionAttempts
  return {
    async put(path, value, cas, kept = limits.vaultSecretVersions) {
      checkPath(path)
      for (let attempt = 0; attempt < attemptsMax; attempt++) {
        const found = await barrier.read(metadataPath(path), Metadata)
        const current = found?.value.current ?? 0
        if (cas !== undefined && cas !== current) {
          const message = `The secret has another version than ${cas}: ${current}`
          throw new SecretVersionMismatch(message, { version: current })
        }
        const next = current + 1
        const versions = [...(found?.value.versions ?? []), { version: next, createdAt: clock.now() }]
        const dropped = versions.splice(0, Math.max(0, versions.length - kept))
        const changes: Change[] = [
          { path: metadataPath(path), value: { current: next, versions } },
          { path: versionPath(path, next), value: { value } },
          ...dropped.map((old) => ({ path: versionPath(path, old.version), value: undefined })),
        ]
        const guard = { key: metadataPath(path), modRevision: found?.revision ?? 0 }
        if (await barrier.commit([guard], changes)) return { version: next }
      }
      throw new Overloaded(`Too many writers of one secret; attempts: ${attemptsMax}`)
    },
    async get(path) {
      checkPath(path)
      // A writer may drop a version between the two reads, so a miss is looked at again.
      for (let attempt = 0; attempt < attemptsMax; attempt++) {
        const metadata = await barrier.read(metadataPath(path), Metadata)
        if (metadata === undefined) throw new SecretNotFound(`There is no such secret: ${path}`, { path })
        const { current } = metadata.value
        const found = await barrier.read(versionPath(path, current), Value)
        if (found !== undefined) return { value: found.value.value, version: current }
        const again = await barrier.read(metadataPath(path), Metadata)
        if (again?.revision === metadata.revision) throw damaged(versionPath(path, current), 'it is missing')
      }
      throw new Overloaded(`Too many writers of one secret; attempts: ${attemptsMax}`)
    },
  }
}

function checkPath(path: string): void {
  const segments = path.split('/')
  const wellFormed = segments.every((segment) => /^[A-Za-z0-9._-]+$/.test(segment) && !/^\.+$/.test(segment))
  if (!wellFormed || path.length > limits.vaultSecretPath) {
    throw new InvalidArgument('A secret path is words of letters, digits, dot, underscore and hyphen, joined by /')
  }
}
