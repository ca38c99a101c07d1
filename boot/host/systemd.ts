import { InvalidArgument } from '../../runtime/errors.ts'

export interface UnitOptions {
  /** What stands in its first line. */
  readonly description: string
  /** Program and arguments, absolute where they are paths. No secret is among them: any process may read them. */
  readonly command: readonly string[]
  /** The one folder that it may write, absolute. */
  readonly folder: string
  /** Units that are started before it where they are on this machine. */
  readonly after?: readonly string[]
}

/**
 * Text of a unit (`systemd.service(5)`) that runs a host at each start of the machine, and again whenever it ends. What
 * runs as its services gets no more than it. @throws InvalidArgument for a path that no unit can name
 */
export function systemdUnit({ description, command, folder, after = [] }: UnitOptions): string {
  return `[Unit]
Description=${description}
Wants=network-online.target
After=${['network-online.target', ...after].join(' ')}
StartLimitIntervalSec=0

[Service]
ExecStart=${command.map(quoted).join(' ')}
Restart=always
RestartSec=5
KillSignal=SIGTERM
TimeoutStopSec=60
UMask=0077
NoNewPrivileges=yes
PrivateTmp=yes
ProtectSystem=strict
ProtectHome=read-only
ReadWritePaths=${quoted(folder)}
ProtectClock=yes
ProtectControlGroups=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
LockPersonality=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes

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
