import type { Command } from 'commander'
import type { Terminal } from '../terminal.ts'
import { group } from './command.ts'
import { migrateCommand } from './migrate.ts'

export function vaultCommand(terminal: Terminal): Command {
  return group(terminal, 'vault', {
    description: 'Move the vault, and with it all stores, into etcd',
    examples: ['vault migrate --dry-run', 'vault migrate', 'vault migrate --status'],
  }, [migrateCommand(terminal)])
}
