/** Diagrams in the documents are those of the sequences that the code marks. */
import { readFileSync } from 'node:fs'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { webStep } from '../../actors/web-steps.ts'
import { documented } from '../../boot/diagram.ts'
import { webSequence } from '../../boot/sequences.ts'

test('ARCHITECTURE.md shows the sign-in by browser as it is', () => {
  const text = readFileSync('ARCHITECTURE.md', 'utf8')
  const diagrams = [...text.matchAll(/```mermaid\n(.*?)\n```/gs)].map(([, diagram]) => diagram)
  assert.equal(diagrams, [documented(webSequence)])
})

test('each step that the gateway can mark is documented, in order, as received by it', () => {
  assert.equal(webSequence.steps.map(({ number }) => number), Object.values(webStep))
  assert.ok(webSequence.steps.every(({ to }) => to === 'gateway'))
})

test.run()
