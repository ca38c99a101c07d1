import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { systemClock as clock } from '../../runtime/platform/clock.ts'
import { systemRandom as random } from '../../runtime/platform/random.ts'
import { openEmbeddedStore } from '../../runtime/store/embedded.ts'
import type { Store } from '../../runtime/store/store.ts'
import { plainErrors } from '../compliance/store/checks.ts'
import { killAll, startStoreProcess } from './store-process.ts'

const rounds = 12
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Park and Miller's: the delays are the same in every run, the moments they hit are not. */
let seed = 20_260_101
const below = (limit: number): number => (seed = (seed * 48_271) % 2_147_483_647) % limit

/** What a child printed until it was killed. */
function acknowledgedIn(lines: readonly string[]): { count: number; revision: number; numbers: number[] } {
  const rows = lines.flatMap((line) => {
    const [word, number, revision] = line.split(' ')
    return word === 'acknowledged' ? [{ number: Number(number), revision: Number(revision) }] : []
  })
  return {
    count: rows.length,
    revision: Math.max(0, ...rows.map(({ revision }) => revision)),
    numbers: rows.map(({ number }) => number),
  }
}

async function pairsOf(store: Store): Promise<Map<string, { number: number; revision: number }>> {
  const [left, right] = await Promise.all([store.list('left/'), store.list('right/')])
  const rowsOf = ({ entries }: typeof left) => entries.map(({ key, value, modRevision }) => ({
    slot: key.split('/')[1] as string,
    number: new DataView(value.buffer, value.byteOffset).getUint32(0),
    whole: value.length === 16_384 && value.subarray(4).every((byte) => byte === value[4]),
    modRevision,
  }))
  assert.equal(rowsOf(right), rowsOf(left), 'both halves of every transaction, or none')
  assert.ok(rowsOf(left).every(({ whole }) => whole), 'every value is whole')
  return new Map(rowsOf(left).map(({ slot, number, modRevision }) => [slot, { number, revision: modRevision }]))
}

test('killed at any moment, a store has all it acknowledged and no half transaction', () => plainErrors(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'zonewright-crash-'))
  let id: string | undefined
  let total = 0
  try {
    for (let round = 0; round < rounds; round++) {
      const child = startStoreProcess('write', folder)
      // Every third is killed while it opens
      if (round % 3 === 2) await pause(below(120))
      else {
        assert.match(await child.started, /^opened /)
        await pause(below(250))
      }
      await child.kill()
      const acknowledged = acknowledgedIn(child.lines)
      total += acknowledged.count
      const store = await openEmbeddedStore(folder, { clock, random })
      const where = `round ${round}`
      assert.is(store.id, id ??= store.id, where)
      assert.ok(await store.revision() >= acknowledged.revision, where)
      const pairs = await pairsOf(store)
      for (const number of acknowledged.numbers) {
        const found = pairs.get(String(number % 48))?.number ?? -1
        assert.ok(found >= number, `${where}: pair ${number} is there, or a later one`)
      }
      await store.close()
    }
  } finally {
    await killAll()
    await rm(folder, { recursive: true })
  }
  assert.ok(total > 500, `the children wrote enough to be a test: ${total}`)
}))

test.run()
