import { openPlatform } from '../../runtime/platform/index.ts'
import { readDocuments } from '../backup/zone.ts'
import { NotBooted, Usage } from '../errors.ts'
import { systemdUnit, type UnitOptions } from '../host/systemd.ts'
import { file } from '../init.ts'
import type { Terminal } from '../terminal.ts'
import type { ZoneOptions } from './boot-zone.ts'
import { readGiven } from './given-files.ts'

export function printUnit(terminal: Terminal, options: UnitOptions, { json }: { readonly json?: true }): void {
  const unit = systemdUnit(options)
  if (json) terminal.out(JSON.stringify({ unit }))
  else terminal.write(unit)
}

/** What a start by hand may be given, and one of each power-on may not. */
const BY_HAND = {
  ownerKey: '--owner-key', ownerPassphraseFile: '--owner-passphrase-file', once: '--once', diagram: '--diagram',
} as const

/**
 * The unit of an OOD that has booted: before that the journal would hold its owner's first password.
 * @throws Usage, NotBooted, FolderDamaged, ConfigInvalid
 */
export async function printZoneUnit(
  terminal: Terminal, verb: 'up' | 'start', options: ZoneOptions & { readonly once?: true },
): Promise<void> {
  for (const [name, flag] of Object.entries(BY_HAND)) {
    if (options[name as keyof typeof BY_HAND] === undefined) continue
    throw new Usage(`It has no place in a unit: ${flag}`, { next: `Start the zone once by hand with ${flag}` })
  }
  const { folder: named } = await readGiven(terminal, options)
  const folder = terminal.absolute(named)
  const [identity] = await Promise.all([file.identity, file.booted].map((name) =>
    terminal.read(`${folder}/${name}`).catch((error: Error & { code?: string }) => {
      throw new NotBooted(`No zone has booted in this folder: ${folder} (${name}: ${error.code})`, {
        path: folder, next: `Boot it once by hand: ${terminal.invocation} ${verb} --dir ${named}`,
      })
    })))
  const { zone: { zone }, device } = readDocuments(await openPlatform(), new TextEncoder().encode(identity))
  const words = (flag: string, value: string | number | undefined): readonly string[] =>
    (value === undefined ? [] : [flag, String(value)])
  printUnit(terminal, {
    description: `Host ${device.name} of the zone ${zone}, with its control plane`, folder,
    // A member of etcd on this machine
    after: ['etcd.service'],
    command: [
      ...terminal.program, verb, '--dir', folder,
      ...words('--config', options.config && terminal.absolute(options.config)), ...words('--port', options.port),
      ...words('--nodes', options.nodes), ...words('--oods', options.oods), ...words('--otlp', options.otlp),
      // In place of the lines for a person, among which may be a first password
      '--json',
    ],
  }, options)
}
