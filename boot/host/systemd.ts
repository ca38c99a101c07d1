import { InvalidArgument } from '../../runtime/errors.ts'

export interface UnitOptions {
  /** Program and first arguments that are this command line, absolute. */
  readonly command: readonly string[]
  /** Absolute. */
  readonly folder: string
  readonly zone: string
  readonly host: string
}

/**
 * Text of a unit (`systemd.service(5)`) that runs a joined host at each start of the machine. The host comes back by
 * itself when its zone does; systemd brings back the process. @throws InvalidArgument for a path that no unit can name
 */
export function systemdUnit({ command, folder, zone, host }: UnitOptions): string {
  const start = [...command, 'node', '--dir', folder].map(quoted).join(' ')
  return `[Unit]
Description=Host ${host} of the zone ${zone}
Wants=network-online.target
After=network-online.target

[Service]
ExecStart=${start}
Restart=always
RestartSec=2
KillSignal=SIGTERM
TimeoutStopSec=30
UMask=0077
NoNewPrivileges=yes
PrivateTmp=yes
ProtectSystem=strict
ReadWritePaths=${quoted(folder)}

[Install]
WantedBy=multi-user.target
`
}

/** Of `systemd.syntax(7)` and `systemd.unit(5)`: quotes, backslashes, `%` of specifiers and `$` of variables. */
function quoted(word: string): string {
  if (/[\0\n\r]/.test(word)) throw new InvalidArgument('A path with an end of line cannot stand in a unit')
  const plain = word.replaceAll('%', '%%').replaceAll('$', '$$$$')
  return /^[\w@+=:,./%$-]+$/.test(plain) ? plain : `"${plain.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`
}
