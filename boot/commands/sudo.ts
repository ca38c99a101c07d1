import type { Command } from 'commander'
import { Usage } from '../errors.ts'
import type { Terminal } from '../terminal.ts'
import { command } from './command.ts'
import { secretIn } from './files.ts'
import { notBySudo, SUDO, sudoCommands } from './sudo-able.ts'

interface SudoGiven {
  readonly key?: string
  readonly passphraseFile?: string
  readonly json?: true
}

/** @param perform runs the command line of another terminal */
export function sudoCommand(terminal: Terminal, perform: (inner: Terminal) => Promise<void>): Command {
  return command(terminal, SUDO, {
    description: 'Run a command by your own key: each of its requests is signed for itself, for at most 3 minutes',
    examples: [
      'sudo kv set users/alice/key_settings \'{"pin": 4}\'', 'sudo users suspend bob', 'sudo passwd bob',
      'sudo --key /media/stick/alice.key users add carol',
    ],
  })
    .usage('[options] COMMAND…')
    .argument('<command...>', `one of ${sudoCommands.join(', ')}, with its arguments and options`)
    .option('--key <file>', 'your key; default: beside the session, see below')
    .option('--passphrase-file <file>', 'its first line opens the key; - is stdin. Without it you are asked')
    .addHelpText('after', [
      '', 'Who is logged in signs, or whom --user names: by the key alone then, without a login. What a session may do',
      'already is done as well; for the rest the policy has lines for su_NAME. Your key lies in',
      '$XDG_STATE_HOME/zonewright/keys/ZONE/NAME.key, or below ~/.local/state where that is not set, and only you may',
      'read it. The owner makes the first one:',
      `  ${terminal.invocation} users key NAME --owner-key FILE`,
    ].join('\n'))
    .passThroughOptions()
    .action(async (words: string[], options: SudoGiven) => {
      const why = notBySudo(words)
      if (why !== undefined) {
        const called = words.slice(0, 2).filter((word) => !word.startsWith('-')).join(' ')
        throw new Usage(`${called} is not possible by sudo: ${why}`, {
          next: `By sudo there are: ${sudoCommands.join(', ')}`,
        })
      }
      const { key, passphraseFile, json } = options
      const args = json && !words.includes('--json') ? [...words, '--json'] : words
      const passphrase = passphraseFile === undefined ? undefined
        : await secretIn(terminal, passphraseFile, 'passphrase')
      const sudo = {
        ...(key === undefined ? {} : { key: terminal.absolute(key) }),
        ...(passphrase === undefined ? {} : { passphrase }),
      }
      await perform({ ...terminal, args, sudo })
    })
}
