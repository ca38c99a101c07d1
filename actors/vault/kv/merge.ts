import { limits } from '../../../runtime/limits.ts'
import { badRequest } from '../http/answer.ts'
import { fieldsOf } from '../http/fields.ts'
import { secondsOf } from '../http/times.ts'
import type { Metadata } from './record.ts'

type Plain = Readonly<Record<string, unknown>>

const isPlain = (value: unknown): value is Plain =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** RFC 7396. `fromEntries` makes own properties of every name, `__proto__` as well. */
export function mergePatch(target: unknown, patch: Plain): Record<string, unknown> {
  const merged = new Map(Object.entries(isPlain(target) ? target : {}))
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) merged.delete(name)
    else merged.set(name, isPlain(value) ? mergePatch(merged.get(name), value) : value)
  }
  return Object.fromEntries(merged)
}

/** The names in it, without their values, down to that depth. */
export const subkeysOf = (value: Plain, depth: number): Record<string, unknown> =>
  Object.fromEntries(Object.entries(value).map(([name, inner]) =>
    [name, isPlain(inner) && Object.keys(inner).length > 0 && depth > 1 ? subkeysOf(inner, depth - 1) : null]))

const CUSTOM = { entries: 64, name: 128, value: 512 }

/** As Vault bounds it. `nulls`: of a patch, where null takes an entry away. @throws Fault 400 */
export function customOf(value: unknown, nulls = false): Record<string, string> | undefined {
  if (value === undefined || value === null) return undefined
  const sound = isPlain(value) && Object.keys(value).length <= CUSTOM.entries
    && Object.entries(value).every(([name, text]) => name.length > 0 && name.length <= CUSTOM.name
      && ((nulls && text === null) || (typeof text === 'string' && text.length <= CUSTOM.value)))
  if (!sound) throw badRequest(`custom_metadata must be at most ${CUSTOM.entries} short texts by their names`)
  return { ...value } as Record<string, string>
}

/** What a body says of the life of a secret, as a change. @throws Fault 400 */
export function metadataChange(data: Plain, now: number): (metadata: Metadata) => Metadata {
  const fields = fieldsOf(data)
  const maxVersions = fields.whole('max_versions', { max: limits.vaultKvVersions })
  const casRequired = fields.flag('cas_required')
  const after = data['delete_version_after']
  const deleteAfterSeconds = after === undefined ? undefined : secondsOf(after, 'delete_version_after')
  const custom = customOf(data['custom_metadata'])
  return (metadata) => ({
    ...metadata, updatedAt: now,
    ...(maxVersions === undefined ? {} : { maxVersions }), ...(casRequired === undefined ? {} : { casRequired }),
    ...(deleteAfterSeconds === undefined ? {} : { deleteAfterSeconds }), ...(custom === undefined ? {} : { custom }),
    ...(maxVersions ? { versions: metadata.versions.slice(-maxVersions) } : {}),
  })
}
