import { safeParse } from 'valibot'
import type { Infer, Schema } from '../../runtime/protocol.ts'
import { damaged } from './record.ts'

/** @throws VaultDamaged; the message holds nothing of the contents */
export function readJson<S extends Schema>(schema: S, path: string, bytes: Uint8Array): Infer<S> {
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    throw damaged(path, 'it is not JSON')
  }
  const result = safeParse(schema, value)
  if (!result.success) throw damaged(path, 'it has not the shape that this version of the vault writes')
  return result.output
}
