/** The rules of the house as functions from one source to what breaks them. */
import { adapters, banned, nodeModules } from './ban.ts'
import { lineAt, type Scanned } from './source.ts'

export interface Rule {
  /** A sentence: "a line has at most 120 columns". */
  readonly name: string
  /** @returns one line for each violation, with its place. */
  readonly check: (source: Scanned) => readonly string[]
  /** Sources that break it: the check must find each. */
  readonly broken: readonly { readonly path: string; readonly text: string }[]
  /** Sources that look like it but are right. */
  readonly right?: readonly { readonly path: string; readonly text: string }[]
}

const skipped = /\.\s*(?:skip|only)\s*\(/g
const columnsMax = 120
const linesMax = 300
/** Imports run one way: a layer imports itself and what stands before it. */
const layers = ['runtime', 'transport', 'actors', 'boot']

const layerOf = (path: string): number => layers.indexOf(path.split('/')[0] ?? '')

/** The path from the root that a relative specifier means; undefined for a package. */
const resolved = (source: Scanned, specifier: string): string | undefined =>
  specifier.startsWith('.')
    ? new URL(specifier, `file:///above/here/${source.path}`).pathname.replace('/above/here/', '')
    : undefined

const found = (source: Scanned, text: string, pattern: RegExp, what: string): readonly string[] =>
  [...text.matchAll(pattern)].map(match => `${source.path}:${lineAt(text, match.index)}: ${what}`)

const importsOf = (source: Scanned, judge: (target: string) => string | undefined): readonly string[] =>
  source.imports.flatMap(({ specifier, line }) => {
    const target = resolved(source, specifier)
    const fault = target === undefined ? undefined : judge(target)
    return fault === undefined ? [] : [`${source.path}:${line}: ${fault}: ${specifier}`]
  })

/** Folders beside the actors that all of them may use. */
const shared = ['actors/enforcement', 'actors/rbac']

/** `actors/vault` for a file of an actor; undefined for what stands beside the actors. */
const actorOf = (path: string): string | undefined => {
  const folder = /^actors\/[^/]+(?=\/)/.exec(path)?.[0]
  return folder === undefined || shared.includes(folder) ? undefined : folder
}

const mayTouch = (path: string, name: string): boolean =>
  adapters.some(({ files, may }) => files.test(path) && (may === undefined || may.includes(name)))

const banRules: readonly Rule[] = banned.map(({ name, pattern, instead, planted }) => ({
  name: `only adapters use ${name}`,
  check: source => (mayTouch(source.path, name) ? [] : found(source, source.code, pattern, `${name}: use ${instead}`)),
  broken: planted.map(text => ({ path: 'runtime/mailbox.ts', text: `const f = () => { ${text} }\n` })),
  right: planted.map(text => ({ path: 'runtime/mailbox.ts', text: `// ${text}\nconst a = { note: \`${text}\` }\n` })),
}))

const importRules = (packages: readonly string[]): readonly Rule[] => [
  {
    name: `only adapters import ${nodeModules}`,
    check: source => (mayTouch(source.path, nodeModules) ? [] : source.imports
      .filter(({ specifier }) => specifier.startsWith('node:'))
      .map(({ specifier, line }) => `${source.path}:${line}: use a port: ${specifier}`)),
    broken: [
      { path: 'runtime/mailbox.ts', text: "import { readFile } from 'node:fs/promises'\n" },
      { path: 'actors/vault/actor.ts', text: "const fs = await import('node:fs')\n" },
    ],
    right: [{ path: 'runtime/platform/node.ts', text: "import { readFile } from 'node:fs/promises'\n" }],
  },
  {
    name: 'imports run one way: boot, actors, transport, runtime',
    check: source => importsOf(source, target => {
      const [from, to] = [layerOf(source.path), layerOf(target)]
      if (from === -1) return undefined
      return to === -1 || to > from ? 'imports against the order' : undefined
    }),
    broken: [
      { path: 'runtime/supervisor.ts', text: "import { vault } from '../actors/vault/protocol.ts'\n" },
      { path: 'transport/port.ts', text: "import type { X } from '../boot/config.ts'\n" },
      { path: 'actors/vault/actor.ts', text: "export * from '../../boot/config.ts'\n" },
      { path: 'boot/up.ts', text: "import { probe } from '../test/probe.ts'\n" },
    ],
    right: [{ path: 'boot/up.ts', text: "import { x } from '../runtime/index.ts'\nimport { y } from './config.ts'\n" }],
  },
  {
    name: "an actor imports another's protocol.ts only",
    check: source => importsOf(source, target => {
      const other = actorOf(target)
      if (!source.path.startsWith('actors/') || other === undefined || other === actorOf(source.path)) return undefined
      return target === `${other}/protocol.ts` ? undefined : "imports another actor's code"
    }),
    broken: [
      { path: 'actors/gateway/actor.ts', text: "import { open } from '../vault/barrier.ts'\n" },
      { path: 'actors/trust-matrix.ts', text: "import { open } from './vault/barrier.ts'\n" },
      { path: 'actors/rbac/access.ts', text: "import { open } from '../vault/barrier.ts'\n" },
    ],
    right: [
      { path: 'actors/gateway/web/page.ts', text: "import { Vault } from '../../vault/protocol.ts'\n" },
      { path: 'actors/gateway/actor.ts', text: "import '../records.ts'\nimport './web/page.ts'\n" },
    ],
  },
  {
    name: 'every package that is imported is a dependency',
    check: source => (layerOf(source.path) === -1 || source.path.endsWith('.mjs') ? [] : source.imports)
      .filter(({ specifier }) => !/^(\.|node:)/.test(specifier))
      .filter(({ specifier }) => !packages.some(name => specifier === name || specifier.startsWith(`${name}/`)))
      .map(({ specifier, line }) => `${source.path}:${line}: not among the dependencies: ${specifier}`),
    broken: [{ path: 'runtime/mailbox.ts', text: "import pad from 'left-pad'\n" }],
  },
  {
    name: 'nothing outside this folder is imported',
    check: source => importsOf(source, target => (target.startsWith('/') ? 'imports from outside' : undefined)),
    broken: [{ path: 'test/run.ts', text: "import notes from '../../elsewhere/notes.ts'\n" }],
  },
]

const textRules: readonly Rule[] = [
  {
    name: `a line has at most ${columnsMax} columns`,
    check: ({ path, text }) => text.split('\n').flatMap((line, index) =>
      line.length > columnsMax ? [`${path}:${index + 1}: columns: ${line.length}`] : []),
    broken: [{ path: 'runtime/a.ts', text: `// ${'x'.repeat(columnsMax)}\n` }],
  },
  {
    name: `a file has at most ${linesMax} lines`,
    check: ({ path, text }) => {
      const lines = text.split('\n').length - 1
      return lines > linesMax ? [`${path}: lines: ${lines}`] : []
    },
    broken: [{ path: 'runtime/a.ts', text: '\n'.repeat(linesMax + 1) }],
  },
  {
    name: 'nothing is left to do',
    check: source => found(source, source.text, /\b(?:TO(?=DO)DO|FIX(?=ME)ME)\b/g, 'left to do'),
    broken: ['TO' + 'DO', 'FIX' + 'ME'].map(word => ({ path: 'runtime/a.ts', text: `// ${word}: later\n` })),
  },
  {
    name: 'no type check is silenced',
    check: source => [
      ...found(source, source.text, /@ts-(?:ignore|expect-error|nocheck)\b/g, 'a silenced type check'),
      ...found(source, source.code, /\bas\s+any\b|:\s*any\b|<any>/g, 'any'),
    ],
    broken: ['// @ts-' + 'ignore', 'const a = b as any', 'const a = (b: any) => b']
      .map(text => ({ path: 'runtime/a.ts', text: `${text}\n` })),
    right: [{ path: 'runtime/a.ts', text: '// as any other\nconst many: anything = 1\n' }],
  },
  {
    name: 'only errors are thrown (uvu is green for anything else: uvu#240)',
    check: source => found(source, source.code, /\bthrow\s+['"`\d{[]/g, 'not an Error'),
    broken: ["throw 'boom'", 'throw `boom`', "throw { code: 'X' }"].map(text => ({ path: 'test/a.test.ts', text })),
    right: [{ path: 'test/a.test.ts', text: "throw new Error('boom')\n" }],
  },
  {
    name: 'no test is skipped or alone',
    check: source => (source.path.startsWith('test/') ? found(source, source.code, skipped, 'skip or only') : []),
    broken: ['skip', 'only'].map(word => ({ path: 'test/a.test.ts', text: `test.${word}('a sentence', run)\n` })),
  },
]

/** @param packages the names in `dependencies`. */
export const rules = (packages: readonly string[]): readonly Rule[] =>
  [...importRules(packages), ...banRules, ...textRules]
