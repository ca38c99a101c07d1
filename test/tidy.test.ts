/** The rules of the house, checked on every source; and each rule checked on a source that breaks it. */
import { readFileSync, readdirSync } from 'node:fs'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { rules } from './tidy/rules.ts'
import { codeOf, scan } from './tidy/source.ts'

const folders = ['runtime', 'transport', 'actors', 'boot', 'test', 'bench']
/** Beside the sources: continuous integration and git itself. */
const otherFolders = ['.ci', '.git']

const sources = folders
  .flatMap(folder => readdirSync(folder, { recursive: true, encoding: 'utf8' }).map(name => `${folder}/${name}`))
  .map(path => path.replaceAll('\\', '/'))
  .filter(path => /\.(ts|mjs)$/.test(path) && !path.includes('node_modules/'))
  .map(path => scan({ path, text: readFileSync(path, 'utf8') }))

const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as { dependencies: Record<string, string> }

for (const { name, check, broken, right = [] } of rules(Object.keys(manifest.dependencies))) {
  test(name, () => {
    assert.equal(sources.flatMap(check), [])
  })
  test(`a violation is found: ${name}`, () => {
    assert.ok(broken.length > 0)
    for (const source of broken) assert.ok(check(scan(source)).length > 0, `not found: ${source.text}`)
    for (const source of right) assert.equal(check(scan(source)), [], `found where there is none: ${source.text}`)
  })
}

test('there is no other top-level folder', () => {
  const ignored = readFileSync('.gitignore', 'utf8').split('\n').filter(line => line.endsWith('/'))
  const allowed = new Set([...folders, ...otherFolders, ...ignored.map(line => line.slice(0, -1))])
  const found = readdirSync('.', { withFileTypes: true }).filter(entry => entry.isDirectory()).map(entry => entry.name)
  assert.equal(found.filter(name => !allowed.has(name)), [])
})

test('nothing depends on the folder that this one was made in', () => {
  const outside = new RegExp(['\\.\\./(\\.\\./)*', 'shared\\b|/wo', 'rk/|/ho', 'me/[a-z]'].join(''))
  const others = ['package.json', 'package-lock.json', 'deno.json', 'tsconfig.json', '.ci/run'].map(path => ({
    path, text: readFileSync(path, 'utf8'),
  }))
  assert.ok(outside.test("import '../../shar" + "ed/notes.ts'"))
  assert.equal([...sources, ...others].filter(({ text }) => outside.test(text)).map(({ path }) => path), [])
})

test('comments and the contents of strings, templates and patterns are not code', () => {
  const cases: readonly (readonly [text: string, code: string])[] = [
    ['a // b\nc', 'a     \nc'],
    ['a /* b\n */ c', 'a     \n    c'],
    ["a('it\\'s') + \"x\"", "a('     ') + \" \""],
    ['a(`b${c(`d`)}e`)', 'a(` ${c(` `)} `)'],
    ['x = `${ {a: 1}.a }z` + b', 'x = `${ {a: 1}.a } ` + b'],
    ["if (/['\"]/.test(a)) b / c / d", 'if (/    /.test(a)) b / c / d'],
    ["a = b / c // 'd", 'a = b / c      '],
    ["// it's\nnext('a')", "       \nnext(' ')"],
  ]
  for (const [text, code] of cases) assert.is(codeOf(text), code)
})

test('imports are found in every form', () => {
  const text = "import 'a'\nimport type { B } from './b.ts'\nexport * from \"c\"\nawait import('./d.ts')\n// from 'e'\n"
  assert.equal(scan({ path: 'x.ts', text }).imports.map(found => found.specifier), ['a', './b.ts', 'c', './d.ts'])
})

test.run()
