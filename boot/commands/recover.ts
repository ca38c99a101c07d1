import type { Command } from 'commander'
import type { Terminal } from '../terminal.ts'
import { group } from './command.ts'

export function recoverCommand(terminal: Terminal): Command {
  return group(terminal, 'recover', {
    description: 'Bring back what a zone needs before it can start',
    examples: ['recover etcd --config config.yaml'],
  }, [])
}
