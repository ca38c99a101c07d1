import { safeParse } from 'valibot'
import { Unrecorded, type Vault } from '../../actors/vault/protocol.ts'
import { limits } from '../../runtime/limits.ts'
import type { Files } from '../../runtime/platform/ports.ts'
import { array, object, type Client } from '../../runtime/protocol.ts'
import { FolderDamaged } from '../errors.ts'
import { parseJson } from '../parse-json.ts'
import { pems } from './names.ts'

/** Certificates that were signed while the vault was out of reach, until it has taken them into its inventory. */
const UnrecordedFile = object({ certificates: array(Unrecorded) })

async function readUnrecorded(files: Files): Promise<readonly Unrecorded[]> {
  const bytes = await files.read(pems.unrecorded)
  if (!bytes) return []
  const parsed = safeParse(UnrecordedFile, parseJson(bytes))
  if (parsed.success) return parsed.output.certificates
  throw new FolderDamaged(`${files.path(pems.unrecorded)}: it is not a list of certificates`, {
    path: files.path(pems.unrecorded), next: 'Restore it from a backup, or remove it: then the inventory lacks them',
  })
}

/** Durable before the certificate is in any file: what is used is never unknown to the vault. @throws FolderDamaged */
export async function rememberUnrecorded(files: Files, certificate: Unrecorded): Promise<void> {
  const certificates = [...await readUnrecorded(files), certificate]
  const contents = `${JSON.stringify({ certificates }, null, 2)}\n`
  await files.write(pems.unrecorded, new TextEncoder().encode(contents), { mode: 0o600 })
}

/** Gives them to the vault, and forgets them. A retry changes nothing. @returns how many were new to it */
export async function handOver(files: Files, vault: Pick<Client<typeof Vault>, 'recordCertificates'>): Promise<number> {
  const waiting = [...await readUnrecorded(files)]
  if (waiting.length === 0) return 0
  let taken = 0
  while (waiting.length > 0) {
    const certificates = waiting.splice(0, limits.unrecordedCertificates)
    taken += (await vault.recordCertificates({ mount: 'pki-etcd', certificates })).recorded
  }
  await files.remove(pems.unrecorded)
  return taken
}
