import type { Command } from 'commander'
import type { Terminal } from '../terminal.ts'
import { group } from './command.ts'
import { migrateCommand } from './migrate.ts'
import { vaultInitCommand, vaultSealCommand, vaultStatusCommand, vaultUnsealCommand } from './vault-seal.ts'
import { generateRootCommand, rekeyCommand, rotateCommand } from './vault-operator.ts'
import { vaultServeCommand } from './vault-serve.ts'

export const vaultCommand = (terminal: Terminal): Command => group(terminal, 'vault', {
  description: 'Run a vault by itself, operate one that runs, move that of a zone into etcd',
  examples: [
    'vault serve --dir ./vault', 'vault status', 'vault init --shares 5 --threshold 3', 'vault unseal',
    'vault operator rotate --token-file ./token', 'vault migrate --dry-run',
  ],
}, [
  vaultServeCommand(terminal), vaultStatusCommand(terminal), vaultInitCommand(terminal),
  vaultUnsealCommand(terminal), vaultSealCommand(terminal),
  group(terminal, 'operator', {
    description: 'Keys of a running vault, for people who hold shares of it',
    examples: ['vault operator rotate', 'vault operator rekey --shares 5 --threshold 3'],
  }, [rotateCommand(terminal), rekeyCommand(terminal), generateRootCommand(terminal)]),
  migrateCommand(terminal),
])
