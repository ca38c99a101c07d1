import type { Command } from 'commander'
import { array, looseObject, number, optional, string } from 'valibot'
import type { Infer } from '../../runtime/protocol.ts'
import { denialReasons } from '../../runtime/trust/denial.ts'
import { shapeOf } from '../client/kv.ts'
import { Usage } from '../errors.ts'
import { printable } from '../printable.ts'
import { styleOf, type Style } from '../render.ts'
import type { Terminal } from '../terminal.ts'
import { command } from './command.ts'
import { connect, connectOptions, show, type ConnectOptions } from './connect.ts'

const Denial = looseObject({
  id: string(), at: number(), host: string(), actor: string(),
  chain: array(looseObject({
    layer: string(), verdict: string(), rule: string(), reason: optional(string()), detail: optional(string()),
  })),
})
type Denial = Infer<typeof Denial>

export function explainCommand(terminal: Terminal): Command {
  return connectOptions(command(terminal, 'explain', {
    description: 'Show why something was denied: what each layer said, and by which rule',
    examples: ['explain D-1f0a9c3e', 'explain D-1f0a9c3e --json'],
  }))
    .argument('<id>', 'the code that the refused caller was given')
    .action(async (id: string, options: ConnectOptions) => {
      if (!/^D-[0-9a-f]{8}$/.test(id)) {
        throw new Usage(`It is not the code of a denial: ${id}`, { next: 'It looks like D-1f0a9c3e' })
      }
      const client = await connect(terminal, options)
      const denial = shapeOf(Denial, await client.call('node-daemon', 'explain', { id }), 'a denial')
      show(terminal, options, denial, () => linesOf(terminal, denial, styleOf(terminal.colours)))
    })
}

const LAYER_WIDTH = 5
const VERDICT_WIDTH = 7

function linesOf(terminal: Terminal, { id, at, host, actor, chain }: Denial, style: Style): readonly string[] {
  const where = printable(`${actor} on ${host}`)
  return [
    `${style.bold(id)}: refused by ${where} at ${terminal.localTime(at)}`,
    ...chain.flatMap(({ layer, verdict, rule, reason, detail }) => {
      const paint = verdict === 'allowed' ? style.good : style.bad
      const shown = paint(printable(verdict).padEnd(VERDICT_WIDTH))
      const indent = ' '.repeat(2 + LAYER_WIDTH + 2)
      return [
        `  ${printable(layer).padEnd(LAYER_WIDTH)}  ${shown}  ${style.dim(printable(rule))}`,
        ...(reason === undefined ? [] : [`${indent}${printable(reason)}: ${sentenceOf(reason)}`]),
        ...(detail ? [`${indent}${printable(detail)}`] : []),
      ]
    }),
  ]
}

const sentenceOf = (reason: string): string =>
  (Object.hasOwn(denialReasons, reason) ? denialReasons[reason as keyof typeof denialReasons] : 'no words for it')
