import { Option, type Command } from 'commander'
import { array, boolean, looseObject, number, optional, picklist, string } from 'valibot'
import { appLines, subjectLines } from '../../actors/rbac/base.ts'
import { builtInModel, parseModel } from '../../actors/rbac/model.ts'
import { RuntimeType } from '../../actors/records.ts'
import { derivedPolicyMark, policyKey } from '../../actors/scheduler/schedule.ts'
import { Denied } from '../../runtime/errors.ts'
import type { Infer } from '../../runtime/protocol.ts'
import { denialReasons } from '../../runtime/trust/denial.ts'
import { getItem, shapeOf } from '../client/kv.ts'
import { Usage } from '../errors.ts'
import { printable } from '../printable.ts'
import { styleOf, type Style } from '../render.ts'
import type { Terminal } from '../terminal.ts'
import { command, group } from './command.ts'
import { connect, connectOptions, show, type ConnectOptions } from './connect.ts'

const MODEL_KEY = 'system/rbac/model'

const Line = looseObject({ text: string(), from: picklist(['built-in', 'policy']), number: optional(number()) })
const Explanation = looseObject({
  allowed: boolean(), reason: optional(string()), act: string(), path: string(), model: string(),
  speaker: looseObject({ sub: string(), appid: string(), runtimeType: string(), sudo: boolean() }),
  layers: array(looseObject({
    layer: string(), verdict: string(), why: optional(string()), name: optional(string()),
    roles: optional(array(string())), line: optional(Line),
    others: optional(array(looseObject({ ...Line.entries, why: string() }))), unrelated: optional(number()),
  })),
})
type Explanation = Infer<typeof Explanation>

export function rbacCommand(terminal: Terminal): Command {
  return group(terminal, 'rbac', {
    description: 'Show the access policy, and why it allows or denies something',
    examples: ['rbac check alice console read users/alice/profile', 'rbac show'],
  }, [checkCommand(terminal), showCommand(terminal)])
}

interface CheckOptions extends ConnectOptions {
  readonly sudo?: true
  readonly type: string
}

function checkCommand(terminal: Terminal): Command {
  return connectOptions(command(terminal, 'check', {
    description: 'Ask the policy whether a user may do something by an app, and which line says so',
    examples: [
      'rbac check alice console write users/alice/profile', 'rbac check alice console write users/alice/doc --sudo',
      'rbac check alice notes read auth://sessions/alice --json', 'rbac check ood1 scheduler read nodes/ --type ood',
    ],
  }))
    .argument('<user>', 'whom the app speaks for; a host for what the system itself does')
    .argument('<app>', 'the app that calls, such as console')
    .argument('<act>', 'read or write')
    .argument('<path>', 'a key, a folder with its last slash, or auth://…')
    .option('--sudo', 'as with a sudo token of that user')
    .addOption(new Option('--type <type>', 'runtime type of the session').choices(RuntimeType.options).default('user'))
    .addHelpText('after', '\nEnds with 0 when it is allowed and with 14 when it is denied.')
    .action(async (sub: string, appid: string, act: string, key: string, options: CheckOptions) => {
      if (act !== 'read' && act !== 'write') {
        throw new Usage(`It is neither read nor write: ${act}`, { next: `${terminal.invocation} rbac check --help` })
      }
      const params = { sub, appid, act, key, sudo: options.sudo ?? false, runtime_type: options.type }
      const client = await connect(terminal, options)
      const answer = await client.call('system_config', 'sys_config_explain', params)
      const explained = shapeOf(Explanation, answer, 'an explanation')
      show(terminal, options, explained, () => linesOf(explained, styleOf(terminal.colours)))
      if (explained.allowed) return
      throw new Denied(`${sub} by ${appid} may not ${act} ${key}: ${sentenceOf(explained.reason)}`, { shown: true })
    })
}

const sentenceOf = (reason = ''): string =>
  (Object.hasOwn(denialReasons, reason) ? denialReasons[reason as keyof typeof denialReasons] : reason)

const LAYER_WIDTH = 7
const VERDICT_WIDTH = 7

function linesOf({ allowed, act, path, model, speaker, layers }: Explanation, style: Style): readonly string[] {
  const { sub, appid, runtimeType, sudo } = speaker
  const verdict = allowed ? style.good('allowed') : style.bad('denied')
  const who = `${sub} (${runtimeType}${sudo ? ', sudo' : ''}) by ${appid}`
  const what = printable(`${who}: ${act} ${path === '' ? 'kv://' : path}`)
  return [
    `${style.bold(what)}: ${verdict}`,
    ...(model === 'own' ? [style.dim(`  The model is the zone's own: ${MODEL_KEY}`)] : []),
    ...layers.flatMap((layer) => layerLines(layer, style)),
  ]
}

function layerLines(
  { layer, verdict, why, roles = [], line, others = [], unrelated = 0 }: Explanation['layers'][number], style: Style,
): readonly string[] {
  const paint = verdict === 'allowed' ? style.good : style.bad
  const said = line ? lineText(line) : why ?? ''
  const indent = ' '.repeat(2 + LAYER_WIDTH + 2)
  return [
    `  ${printable(layer).padEnd(LAYER_WIDTH)}  ${paint(printable(verdict).padEnd(VERDICT_WIDTH))}  ${printable(said)}`,
    ...(roles.length === 0 ? [] : [style.dim(`${indent}roles: ${printable(roles.join(', '))}`)]),
    ...others.map((other) => style.dim(`${indent}not ${printable(lineText(other))}: ${printable(other.why)}`)),
    ...(unrelated > 0 && !line ? [style.dim(`${indent}and ${unrelated} lines about something else`)] : []),
  ]
}

const lineText = ({ text, from, number: place }: Infer<typeof Line>): string =>
  `${text}  [${from === 'policy' ? `line ${place} of the policy` : from}]`

interface ShowOptions extends ConnectOptions {
  readonly builtIn?: true
}

function showCommand(terminal: Terminal): Command {
  return connectOptions(command(terminal, 'show', {
    description: 'Print the access model and the lines of the policy: yours, and those that the scheduler derives',
    examples: ['rbac show', 'rbac show --built-in', 'rbac show --json'],
  }))
    .option('--built-in', 'with the lines that every zone has')
    .action(async (options: ShowOptions) => {
      const client = await connect(terminal, options)
      const [model, policy] = await Promise.all([getItem(client, MODEL_KEY), getItem(client, policyKey)])
      const shown = {
        model: { builtIn: isBuiltIn(model?.value ?? ''), text: model?.value ?? builtInModel.trim() },
        revision: policy?.revision ?? 0, lines: policyLines(policy?.value ?? ''),
        builtIn: { app: given(appLines), subject: given(subjectLines) },
      }
      show(terminal, options, shown, () => showLines(shown, options, styleOf(terminal.colours)))
    })
}

/** A model that this program cannot read is not the built-in one. */
function isBuiltIn(model: string): boolean {
  try {
    return parseModel(model).builtIn
  } catch {
    return false
  }
}

interface PolicyLine {
  readonly line: string
  readonly number: number
  /** Written by the scheduler, from users and services. */
  readonly derived: boolean
}

function policyLines(text: string): readonly PolicyLine[] {
  const all = text.split('\n')
  const mark = all.indexOf(derivedPolicyMark)
  return all.map((line, index) => ({ line: line.trim(), number: index + 1, derived: mark >= 0 && index > mark }))
    .filter(({ line }) => line !== '' && !line.startsWith('#'))
}

const given = (text: string): readonly string[] => text.split('\n').filter((line) => line !== '')

interface Shown {
  readonly model: { readonly builtIn: boolean; readonly text: string }
  readonly lines: readonly PolicyLine[]
  readonly builtIn: { readonly app: readonly string[]; readonly subject: readonly string[] }
}

function showLines({ model, lines, builtIn }: Shown, { builtIn: whole }: ShowOptions, style: Style): readonly string[] {
  const section = (title: string, rows: readonly string[]): readonly string[] =>
    ['', style.bold(title), ...(rows.length === 0 ? ['  none'] : rows.map((row) => `  ${printable(row)}`))]
  const numbered = (derived: boolean): readonly string[] => lines.filter((line) => line.derived === derived)
    .map(({ line, number: place }) => `${String(place).padStart(4)}  ${line}`)
  return [
    `${style.bold('Model')}: ${model.builtIn ? 'the built-in one' : `the zone's own (${MODEL_KEY})`}`,
    ...model.text.split('\n').map((line) => style.dim(`  ${printable(line)}`.trimEnd())),
    ...section(`Lines of your own (${policyKey})`, numbered(false)),
    ...section('Lines that the scheduler derives from users and services', numbered(true)),
    ...(whole ? [...section('Built-in lines for apps', builtIn.app),
      ...section('Built-in lines for whom they speak for', builtIn.subject)] : []),
  ]
}
