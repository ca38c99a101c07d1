import type { Files } from '../../runtime/platform/ports.ts'
import type { EtcdProgress } from '../etcd/start.ts'
import type { OwnerSigns } from '../grow.ts'
import { file, type Identity } from '../init.ts'
import { pairs, type Style } from '../render.ts'
import type { OodFailed } from '../oods.ts'
import type { Progress } from '../up.ts'
import type { GivenFiles } from './given-files.ts'

/** What `up` itself did, said aloud: step 0, the recovery shares, a boot schedule that was skipped. */
export function stepZero(
  progress: Exclude<Progress, EtcdProgress | OodFailed>, { ownerPassphraseFile }: GivenFiles, style: Style,
): readonly string[] {
  switch (progress.type) {
    case 'identity': return identity(progress.identity, progress.files, ownerPassphraseFile !== undefined, style)
    case 'shares': return shares(progress, style)
    case 'boot-skipped': return [`${INDENT}second boot: boot schedule skipped (${atRevision(progress.revision)})`]
    case 'owner-signs': return ownerSigns(progress, style)
    case 'node': return node(progress)
    case 'ready': return []
  }
}

/** Before it signs: whoever gave the key can still say no. */
function ownerSigns({ path, documents, registers, tokenSeconds }: OwnerSigns, style: Style): readonly string[] {
  const token = `a root token for system-config, good once and for ${tokenSeconds / 60} min, to register `
    + namesOf(registers)
  return [
    `${INDENT}${style.bold('The owner key signs')}, from ${path}:`,
    ...(documents.length === 0 ? [] : [`${INDENT}  the device documents of ${namesOf(documents)}`]),
    ...(registers.length === 0 ? [] : [`${INDENT}  ${token}`]),
  ]
}

const namesOf = (names: readonly string[]): string =>
  (names.length > 4 ? `${names[0]} to ${names.at(-1)} (${names.length} nodes)` : names.join(', '))

/** Of many nodes some lines will do. */
const NODE_LINES = 10

function node({ serving, of }: { serving: number; of: number }): readonly string[] {
  const every = Math.ceil(of / NODE_LINES)
  return serving === of || serving % every === 0 ? [`${INDENT}node ${serving}/${of}`] : []
}

const atRevision = (revision: number): string => `boot/config at revision ${revision}`

/** Where the table has its second column. */
const INDENT = '     '

const shares = ({ count, path }: { count: number; path: string }, style: Style): readonly string[] => [
  style.dim(`${INDENT}${count} recovery shares of the vault: ${path}`),
  style.dim(`${INDENT}move them to different places`),
]

function identity(
  { host, zone, created }: Identity, files: Files, hasPassphrase: boolean, style: Style,
): readonly string[] {
  const head = style.bold(`Zone ${zone.zone} on host ${host}`)
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
