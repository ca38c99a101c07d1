import type { Files } from '../../runtime/platform/ports.ts'
import { file, type Identity } from '../init.ts'
import { pairs, type Style } from '../render.ts'
import type { Progress } from '../up.ts'
import type { GivenFiles } from './given-files.ts'

/** What `up` itself did, said aloud: step 0, the recovery shares, a boot schedule that was skipped. */
export function stepZero(progress: Progress, { ownerPassphraseFile }: GivenFiles, style: Style): readonly string[] {
  switch (progress.type) {
    case 'identity': return identity(progress.identity, progress.files, ownerPassphraseFile !== undefined, style)
    case 'shares': return shares(progress, style)
    case 'boot-skipped': return [`${INDENT}second boot: boot schedule skipped (${atRevision(progress.revision)})`]
    case 'ready': return []
  }
}

const atRevision = (revision: number): string => `boot/config at revision ${revision}`

/** Where the table has its second column. */
const INDENT = '     '

const shares = ({ count, path }: { count: number; path: string }, style: Style): readonly string[] => [
  style.dim(`${INDENT}${count} recovery shares of the vault: ${path}`),
  style.dim(`${INDENT}move them to different places`),
]

function identity({ zone, created }: Identity, files: Files, hasPassphrase: boolean, style: Style): readonly string[] {
  const head = style.bold(`Zone ${zone.zone} on host ${zone.host}`)
  const folder = files.path('.')
  const stepZeroHead = `${style.bold('Step 0')}: its keys and documents were made in ${folder}`
  if (created) return [head, '', stepZeroHead, ...made(hasPassphrase), '']
  const unused = 'The owner key is there already and stays unloaded: the passphrase was not used'
  return [`${head}, from ${folder}`, ...(hasPassphrase ? [unused] : []), '']
}

const made = (hasPassphrase: boolean): readonly string[] => pairs([
  [file.ownerKey, `the owner key, ${hasPassphrase ? 'encrypted' : 'open: --owner-passphrase-file encrypts it'};`],
  ['', 'it will not be loaded again unless you ask: keep a copy elsewhere'],
  [file.deviceKey, 'says who this host is: the only key that the boot starts from'],
  [file.unsealKey, 'opens the vault at each start'],
  [file.identity, 'zone and device documents, signed by the owner key'],
])
