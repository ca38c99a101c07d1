import { kv } from '../../actors/records.ts'
import { getItem, transact } from '../client/kv.ts'
import type { ZoneClient } from '../client/zone-client.ts'
import { printable } from '../printable.ts'
import type { Terminal } from '../terminal.ts'
import { signedByOwner, type OwnerKeyOptions } from './owner-signs.ts'

/**
 * Takes away what the owner has signed for an OOD that is none any more: nobody else may.
 * @returns whether it stands still, since no owner key was given
 */
export async function removeDocument(
  terminal: Terminal, client: ZoneClient, host: string, options: OwnerKeyOptions & { readonly json?: true },
): Promise<boolean> {
  const key = kv.device(host)
  const there = await getItem(client, key)
  if (!there) return false
  const actions = { [key]: { action: 'remove' as const } }
  const guard = { key, revision: there.revision }
  const token = await signedByOwner(terminal, client, { actions, guard }, options)
  if (token === undefined) return true
  await transact(client, actions, guard, token)
  return false
}

/** What is still to be done, for who gave no owner key. */
export const documentStands = (terminal: Terminal, host: string, command: string): readonly string[] => [
  `The device document that the owner signed for it stands: ${kv.device(host)}`,
  `Others take it for an OOD until that is removed: ${terminal.invocation} ${command} --owner-key FILE`,
].map(printable)
