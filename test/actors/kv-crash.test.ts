/** What `kv://` has acknowledged over a link is on the disk: the process that served it is killed at any moment. */
import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { systemClock as clock } from '../../runtime/platform/clock.ts'
import { systemRandom as random } from '../../runtime/platform/random.ts'
import { openEmbeddedStore } from '../../runtime/store/embedded.ts'
import { plainErrors } from '../compliance/store/checks.ts'

const program = new URL('../boot-fixtures/kv-writer.ts', import.meta.url)
const ROUNDS = 3
const WRITES_MIN = 300

/** Kills it once it has acknowledged some writes more than `count`; all that it printed. */
async function written(folder: string, first: number, count: number): Promise<readonly string[]> {
  const runtime = 'Deno' in globalThis ? ['run', '-A', '--unstable-worker-options'] : []
  const child = spawn(process.execPath, [...runtime, fileURLToPath(program), folder, String(first)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  let lines = 0
  child.stdout.on('data', (chunk: Uint8Array) => {
    const text = new TextDecoder().decode(chunk)
    output += text
    lines += text.split('\n').length - 1
    if (lines > count) child.kill('SIGKILL')
  })
  await new Promise((resolve) => child.once('close', resolve))
  // The last line may be cut
  return output.split('\n').slice(0, -1).filter((line) => line !== 'writing')
}

test('killed in the middle of puts, system-config has all that it acknowledged', () => plainErrors(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'zonewright-kv-crash-'))
  let first = 0
  try {
    for (let round = 0; round < ROUNDS; round++) {
      const lines = await written(folder, first, WRITES_MIN + round * 97)
      assert.ok(lines.length >= WRITES_MIN, `${lines.length} writes were acknowledged`)
      const store = await openEmbeddedStore(join(folder, 'stores', 'system-config'), { clock, random })
      const found = new Map((await store.list('kv/services/crash/')).entries.map((entry) => [entry.key, entry]))
      for (const line of lines) {
        const [slot, number, revision] = line.split(' ')
        const entry = found.get(`kv/services/crash/instances/k${slot}`)
        assert.ok(entry && entry.modRevision >= Number(revision), `round ${round}: ${line}`)
        const kept = Number(new TextDecoder().decode(entry.value.subarray(1)))
        assert.ok(kept >= Number(number), `round ${round}: ${line}, and ${kept} was kept`)
        first = Math.max(first, Number(number) + 2)
      }
      await store.close()
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}))

test.run()
