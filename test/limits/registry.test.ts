/** Every limit has a test at the limit; a new one without is named here. */
import { existsSync, readFileSync } from 'node:fs'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { limits } from '../../runtime/limits.ts'
import { coverage, pending } from './registry.ts'

const covered = new Set(Object.values(coverage).flatMap((tests) => Object.values(tests).flat()))
const known = new Set<string>(Object.keys(limits))

/** How a test begins: its name is a sentence. */
const NAMED = /^ {0,4}[A-Za-z]+\(\s*(?:'[^'\n]* [^'\n]*'|"[^"\n]* [^"\n]*"|`[^`\n]* [^`\n]*`)\s*,/m

/** From the name of a test to that of the next, or to the end; undefined where there is no such test. */
function bodyOf(source: string, name: string): string | undefined {
  const quoted = ["'", '"', '`'].map((quote) => `${quote}${name.replaceAll("'", quote === "'" ? "\\'" : "'")}${quote}`)
  const at = quoted.map((text) => source.indexOf(text)).find((index) => index >= 0)
  if (at === undefined) return undefined
  const rest = at + name.length
  const next = NAMED.exec(source.slice(rest))
  return source.slice(at, next ? rest + next.index : undefined)
}

/** `limits.x`, or `{ x } = limits`. */
const mentions = (body: string, limit: string): boolean =>
  new RegExp(`\\blimits\\.${limit}\\b|\\{[^}]*\\b${limit}\\b[^}]*\\} = limits\\b`).test(body)

test('every limit is tested, and every limit that is named exists', () => {
  const missing = [...known].filter((name) => !covered.has(name) && !pending.includes(name))
  assert.equal(missing, [], 'these have no test in test/limits/registry.ts')
  assert.equal([...covered, ...pending].filter((name) => !known.has(name)), [])
  assert.equal(pending, [])
})

test('each test that is named is there, and mentions its limits', () => {
  const faults: string[] = []
  for (const [file, tests] of Object.entries(coverage)) {
    const path = `test/${file}`
    const source = existsSync(path) ? readFileSync(path, 'utf8') : ''
    for (const [name, names] of Object.entries(tests)) {
      const body = bodyOf(source, name)
      if (body === undefined) faults.push(`${path} has no test: ${name}`)
      for (const limit of names) {
        if (body !== undefined && !mentions(body, limit)) faults.push(`${path}: ${name}: ${limit}`)
      }
    }
  }
  assert.equal(faults, [])
})

test.run()
