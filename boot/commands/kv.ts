import type { Command } from 'commander'
import { NotFound } from '../../runtime/errors.ts'
import {
  createKey, deleteKey, getItem, keyOf, listNames, setKey, transact, watchKeys, type KvEvent,
} from '../client/kv.ts'
import { Usage } from '../errors.ts'
import { jsonLine, printable, printableLines } from '../printable.ts'
import { styleOf, type Style } from '../render.ts'
import type { Terminal } from '../terminal.ts'
import { command, group, wholeNumber } from './command.ts'
import { connect, connectOptions, show, type ConnectOptions } from './connect.ts'
import { textFile } from './files.ts'
import { untilInterrupted } from './interrupt.ts'
import { kvTxCommand } from './kv-tx.ts'

export function kvCommand(terminal: Terminal): Command {
  return group(terminal, 'kv', {
    description: 'Read and write the configuration of a running zone',
    examples: ['kv list services', 'kv get boot/config', 'kv set users/owner/theme dark', 'kv watch services'],
  }, [getCommand, setCommand, listCommand, watchCommand, kvTxCommand, deleteCommand].map((make) => make(terminal)))
}

const revisionMax = Number.MAX_SAFE_INTEGER
const KEY = 'such as services/service/spec; kv:// before it may be left out'

function getCommand(terminal: Terminal): Command {
  return connectOptions(command(terminal, 'get', {
    description: 'Print the value of a key',
    examples: ['kv get boot/config', 'kv get services/service/spec --json', 'kv get services/service/spec > spec.json'],
  })).argument('<key>', KEY).action(async (text: string, options: ConnectOptions) => {
    const client = await connect(terminal, options)
    const key = keyOf(text)
    const item = await getItem(client, key)
    if (!item) throw noSuchKey(key)
    if (options.json) return terminal.out(jsonLine({ key, ...item }))
    // To a file or a program it goes as it is
    if (terminal.columns === undefined) return terminal.write(endLine(item.value))
    terminal.out(printableLines(item.value).trimEnd())
  })
}

const endLine = (text: string): string => (text.endsWith('\n') ? text : `${text}\n`)

export const noSuchKey = (key: string): Error => new NotFound(`There is no such key: ${key}`, { key })

interface SetOptions extends ConnectOptions {
  readonly create?: true
  readonly ifRevision?: number
}

function setCommand(terminal: Terminal): Command {
  return connectOptions(command(terminal, 'set', {
    description: 'Write the value of a key',
    examples: [
      "kv set users/alice/theme dark", 'kv set services/web/spec @web.json', 'kv set users/alice/note -',
      'kv set services/web/settings "{}" --if-revision 17',
    ],
  }))
    .argument('<key>', KEY)
    .argument('<value>', 'text; - reads stdin, @FILE a file')
    .option('--create', 'only if the key is not there yet')
    .option('--if-revision <number>', 'only if the key was last written at this revision', wholeNumber(1, revisionMax))
    .action(async (text: string, given: string, options: SetOptions) => {
      const { create, ifRevision } = options
      if (create && ifRevision !== undefined) {
        throw new Usage('--create and --if-revision exclude each other', { next: 'Give one of them' })
      }
      const key = keyOf(text)
      const value = await valueOf(terminal, given)
      const client = await connect(terminal, options)
      const revision = create ? await createKey(client, key, value)
        : ifRevision === undefined ? await setKey(client, key, value)
          : await transact(client, { [key]: { action: 'update', value } }, { key, revision: ifRevision })
      show(terminal, options, { key, revision }, () => [`${printable(key)} is at revision ${revision}`])
    })
}

async function valueOf(terminal: Terminal, given: string): Promise<string> {
  if (given === '-') return terminal.readInput()
  if (!given.startsWith('@')) return given
  return textFile(terminal, given.slice(1))
}

function listCommand(terminal: Terminal): Command {
  return connectOptions(command(terminal, 'list', {
    description: 'List the names directly below a key',
    examples: ['kv list services', 'kv list nodes/ood1 --json'],
  })).argument('<key>', 'such as services, nodes/ood1 or users/alice')
    .action(async (text: string, options: ConnectOptions) => {
      const key = keyOf(text).replace(/\/$/, '')
      const names = await listNames(await connect(terminal, options), key)
      show(terminal, options, { key, names }, () => names.map(printable))
    })
}

interface WatchOptions extends ConnectOptions {
  readonly after?: number
}

function watchCommand(terminal: Terminal): Command {
  return connectOptions(command(terminal, 'watch', {
    description: 'Print each change below a prefix, as it happens, until Ctrl-C',
    examples: ['kv watch services', 'kv watch nodes/ood1 --after 120', 'kv watch services --json'],
    json: 'print one JSON object a line',
  }))
    .argument('<prefix>', 'such as services or users/alice')
    .option('--after <revision>', 'begin with the first change after this one', wholeNumber(0, revisionMax))
    .action(async (text: string, options: WatchOptions) => {
      const client = await connect(terminal, options)
      const style = styleOf(terminal.colours)
      await untilInterrupted(terminal, async (signal) => {
        for await (const event of watchKeys(client, keyOf(text), options.after, signal)) {
          const { type, key, value, revision } = event
          terminal.out(options.json ? jsonLine({ revision, type, key, value }) : eventLine(event, style))
          await terminal.drained()
        }
      })
    })
}

const eventLine = ({ type, key, value, revision }: KvEvent, style: Style): string => {
  const verb = type === 'put' ? style.good('put   ') : style.bad('delete')
  const number = style.dim(String(revision).padStart(6))
  return `${number}  ${verb}  ${style.bold(printable(key))}  ${printable(value)}`.trimEnd()
}

function deleteCommand(terminal: Terminal): Command {
  return connectOptions(command(terminal, 'delete', {
    description: 'Remove a key',
    examples: ['kv delete users/alice/theme', 'kv delete services/web/settings --if-revision 17'],
  }))
    .argument('<key>', KEY)
    .option('--if-revision <number>', 'only if the key was last written at this revision', wholeNumber(1, revisionMax))
    .action(async (text: string, options: SetOptions) => {
      const key = keyOf(text)
      const client = await connect(terminal, options)
      const revision = options.ifRevision === undefined
        ? await deleteKey(client, key)
        : await transact(client, { [key]: { action: 'remove' } }, { key, revision: options.ifRevision })
      show(terminal, options, { key, revision }, () => [`${printable(key)} is gone since revision ${revision}`])
    })
}
