import type { Files } from '../../runtime/platform/ports.ts'
import { file, type Identity } from '../init.ts'
import { pairs, type Style } from '../render.ts'
import type { Progress } from '../up.ts'

/** What `up` itself did, said aloud: step 0, the recovery shares, a boot schedule that was skipped. */
export function stepZero(progress: Progress, { ownerPassphraseFile }: { ownerPassphraseFile?: string }, style: Style): readonly string[] {
  switch (progress.type) {
    case 'identity': return identity(progress.identity, progress.files, ownerPassphraseFile !== undefined, style)
    case 'shares': return [style.dim(`     ${progress.count} recovery shares of the vault: ${progress.path}; move them to different places`)]
    case 'boot-skipped': return [`     second boot: boot schedule skipped (boot/config at revision ${progress.revision})`]
    case 'ready': return []
  }
}

function identity({ zone, created }: Identity, files: Files, hasPassphrase: boolean, style: Style): readonly string[] {
  const head = style.bold(`Zone ${zone.zone} on host ${zone.host}`)
  const folder = files.path('.')
  if (!created) {
    const notice = hasPassphrase ? ['The owner key is there already and stays unloaded: the passphrase was not used'] : []
    return [`${head}, from ${folder}`, ...notice, '']
  }
  const protection = hasPassphrase ? 'encrypted by your passphrase' : 'not encrypted: --owner-passphrase-file does that'
  return [
    head,
    '',
    `${style.bold('Step 0')}: the zone's keys and documents were made in ${folder}`,
    ...pairs([
      [file.ownerKey, `the owner key, mode 0600, ${protection}`],
      ['', 'It will not be loaded again unless you ask: keep a copy elsewhere'],
      [file.deviceKey, 'says who this host is: the only key that the boot starts from'],
      [file.unsealKey, 'opens the vault at each start'],
      [file.identity, 'zone and device documents, signed by the owner key'],
    ]),
    '',
  ]
}
