/** Diagrams in the documents are those of the sequences that the code marks. */
import { readFileSync } from 'node:fs'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { initStep } from '../../actors/init-steps.ts'
import { webStep } from '../../actors/web-steps.ts'
import { documented } from '../../boot/diagram.ts'
import { initSequence, lastPemsStep, webSequence } from '../../boot/sequences.ts'

test('ARCHITECTURE.md shows the sign-in by browser and the initialisation on etcd as they are', () => {
  const text = readFileSync('ARCHITECTURE.md', 'utf8')
  const diagrams = [...text.matchAll(/```mermaid\n(.*?)\n```/gs)].map(([, diagram]) => diagram)
  assert.equal(diagrams, [documented(initSequence), documented(webSequence)])
})

test('each step that the gateway can mark is documented, in order, as received by it', () => {
  assert.equal(webSequence.steps.map(({ number }) => number), Object.values(webStep))
  assert.ok(webSequence.steps.every(({ to }) => to === 'gateway'))
})

test('each step of the initialisation is documented, in order, with its place in the note', () => {
  assert.equal(initSequence.steps.map(({ number }) => number), Object.values(initStep))
  assert.equal(initSequence.steps.map(({ source }) => source), Array.from({ length: 14 }, (_, index) =>
    `rk8s-libvault: initialisation ${index + 1}`))
  assert.is(lastPemsStep, initStep.pemsSaved)
})

test.run()
