import type { Files, Keys } from '../../runtime/platform/ports.ts'
import { sameBytes } from '../../runtime/x509/der.ts'
import type { ZoneConfig } from '../config.ts'
import type { GivenOwnerKey } from '../grow.ts'
import { file } from '../init.ts'
import { certificatesIn } from './certificates.ts'
import { endpointOf, memberNames } from './names.ts'
import type { Shown } from './reach.ts'

/** Of `tls_config.keep_dangerous_files`: what this host needs no more once its stores are in etcd. */
export interface Dangerous {
  readonly removed: readonly string[]
  /** Those of them that are keys of members of etcd. */
  readonly memberKeys: readonly string[]
  /** And why it stays. */
  readonly kept: readonly { readonly name: string; readonly why: string }[]
}

/**
 * Removes recovery shares, keys of members that have them, and the owner key where another copy was given, unless the
 * config keeps them. To be called after a move of the stores that was verified, and never before. A member has its key
 * when it has shown the certificate that is for it.
 * @param shown what each endpoint showed; a member on this machine may read its key from here for ever
 */
export async function removeDangerous(
  { files, keys, config, shown, ownerKey }: {
    readonly files: Files
    readonly keys: Keys
    readonly config: Pick<ZoneConfig, 'tls' | 'etcd'>
    readonly shown: ReadonlyMap<string, Shown>
    readonly ownerKey: GivenOwnerKey | undefined
  },
): Promise<Dangerous> {
  const [removed, memberKeys, kept]: [string[], string[], Dangerous['kept'][number][]] = [[], [], []]
  const all = config.tls.keepDangerousFiles ? 'keep_dangerous_files is true' : undefined
  const decide = async (name: string, reason: string | undefined): Promise<void> => {
    const why = all ?? reason
    if (why !== undefined) return void kept.push({ name, why })
    await files.remove(name)
    removed.push(name)
  }
  for (const { name } of await files.list(file.recoveryShares)) {
    await decide(`${file.recoveryShares}/${name}`, undefined)
  }
  for (const url of config.etcd?.endpoints ?? []) {
    const { certificate, key } = memberNames(endpointOf(url))
    const bytes = await files.read(certificate)
    if (!bytes || (await files.mode(key)) === undefined) continue
    const [leaf] = certificatesIn(new TextDecoder().decode(bytes))
    const theirs = shown.get(url)
    const has = leaf !== undefined && theirs !== undefined && sameBytes(leaf.raw, theirs.certificate)
    await decide(key, !theirs ? `${url} did not answer` : !has ? `${url} shows another certificate`
      : theirs.isHere ? `${url} is on this machine, and may read it from here` : undefined)
    if (removed.at(-1) === key) memberKeys.push(key)
  }
  const owner = await files.read(file.ownerKey)
  if (owner) await decide(file.ownerKey, await whyOwnerKeyStays(files, keys, owner, ownerKey))
  return { removed, memberKeys, kept }
}

async function whyOwnerKeyStays(
  files: Files, keys: Keys, own: Uint8Array, given: GivenOwnerKey | undefined,
): Promise<string | undefined> {
  if (!given) return 'it may be the only one: give a copy with --owner-key'
  if (keyFileOf(keys, given.pem) !== keyFileOf(keys, new TextDecoder().decode(own))) {
    return 'what --owner-key names is not a copy of it, or is encrypted otherwise'
  }
  // By a link, or another spelling of its path, one may name the very file
  const isOwn = await files.isAt(file.ownerKey, given.path)
  if (isOwn === undefined) return `the copy that --owner-key names is not there any more: ${given.path}`
  return isOwn ? 'it may be the only one: give a copy with --owner-key' : undefined
}

/** What tells whether two files hold one key: its id, or for one that is encrypted the file itself. */
function keyFileOf(keys: Keys, pem: string): string {
  try {
    return keys.importPem(pem).public.kid
  } catch {
    return pem.trim()
  }
}
