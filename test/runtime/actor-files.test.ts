/** Files that are an actor's own: in its worker, and in simulation with a disk that loses the end of a write. */
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { openFolder } from '../../runtime/platform/files.ts'
import { worker } from '../../runtime/spec.ts'
import { supervise } from '../../runtime/supervise.ts'
import { Notes } from '../examples/notes-protocol.ts'
import { simulateWith, utf8 } from './sim-fixture.ts'

const module = new URL('../examples/notes.ts', import.meta.url)

test('an actor writes in the folder that it was given, and finds it again in its next incarnation', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'zonewright-files-'))
  const supervised = await supervise([worker(Notes, module, { files: folder, permissions: { write: [folder] } })])
  try {
    await Promise.all(['one', 'two'].map((line) => supervised.get(Notes).add({ line })))
    await supervised.kill('notes')
    await supervised.get(Notes).add({ line: 'three' })
    assert.equal(await supervised.get(Notes).all({}), ['one', 'two', 'three'])
    assert.is((await stat(join(folder, 'notes'))).mode & 0o777, 0o600)
  } finally {
    await supervised.stop()
    await rm(folder, { recursive: true })
  }
})

test('an append answers with the size of the file, whether it is made durable or not', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'zonewright-files-'))
  const files = await openFolder(folder)
  const sizes = []
  for (const durable of [true, false, true]) sizes.push(await files.append('a', utf8('12345'), { mode: 0o640, durable }))
  assert.equal(sizes, [5, 10, 15])
  assert.is(await files.mode('a'), 0o640)
  await rm(folder, { recursive: true })
})

test('in simulation an append that loses its power leaves a beginning of itself, or nothing, or all', async () => {
  const written = 'x'.repeat(1_000)
  const lengths: number[] = []
  await simulateWith(async (world) => {
    world.tearWrites('ood1', true)
    for (let round = 0; round < 40; round++) {
      const process = world.startProcess('ood1')
      const files = await process.platform.host.openFolder('/files')
      void files.append(`f${round}`, utf8(written), { mode: 0o600, durable: true })
      process.kill()
      const seen = await (await world.openFolder('ood1', '/files')).read(`f${round}`)
      lengths.push(seen?.length ?? 0)
      assert.is(new TextDecoder().decode(seen), written.slice(0, seen?.length ?? 0))
    }
  })
  assert.ok(new Set(lengths).size > 20, lengths.join())
  await simulateWith(async (world) => {
    const process = world.startProcess('ood1')
    const files = await process.platform.host.openFolder('/files')
    void files.append('f', utf8(written), { mode: 0o600, durable: true })
    process.kill()
    assert.is(await (await world.openFolder('ood1', '/files')).read('f'), undefined)
  })
})

test.run()
