/** How often a host tells of itself, and how much. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createReports } from '../../actors/node-daemon/reports.ts'
import { DeviceInfo, readRecord } from '../../actors/records.ts'
import { limits } from '../../runtime/limits.ts'
import { manualClock, START_MS } from '../actors/manual-clock.ts'

test('a host reports as often as it is to, and is silent when nobody asks', async () => {
  const clock = manualClock()
  const stopping = new AbortController()
  const written: number[] = []
  let address = '192.0.2.1'
  const service = {
    kind: 'process', state: 'serving', incarnation: 1, reason: 'x'.repeat(1_000), restarts: 0, since: 0, managed: true,
    version: '7', processId: 1,
  } as const
  let runs: readonly (typeof service & { readonly name: string })[] = []
  let told: DeviceInfo | undefined
  const reports = createReports({
    host: 'h', incarnation: 1, means: {}, clock, stopping: stopping.signal, warn: () => {},
    machine: async () => ({
      runtime: '', processors: 1, load: 0, memoryBytes: 0, memoryFreeBytes: 0, diskBytes: 0, diskFreeBytes: 0,
      addresses: [address],
    }),
    actors: async () => [...runs],
    write: async (_, value) => {
      told = JSON.parse(value) as DeviceInfo
      written.push(clock.monotonic() - START_MS)
    },
  })
  const running = reports.run()
  await clock.advance(10 * limits.reportLookMs)
  assert.equal(written, [])
  const began = clock.monotonic() - START_MS
  reports.wanted('regularly')
  await clock.advance(3 * limits.reportMs)
  assert.equal(written.splice(0), [0, 1, 2, 3].map((count) => began + count * limits.reportMs))
  runs = Array.from({ length: limits.reportActors + 1 }, (_, index) => ({ ...service, name: `a${index}` }))
  for (let change = 0; change < 5; change++) reports.changed()
  await clock.advance(limits.reportSoonMs - 1)
  assert.equal(written, [], 'what changes is told a moment later, once for many')
  await clock.advance(1)
  assert.is(written.splice(0).length, 1)
  const read = readRecord(DeviceInfo, 'devices/h/info', JSON.stringify(told))
  assert.is(read.actors?.length, limits.reportActors)
  assert.ok(read.actors![0]!.reason.length < 1_000, 'a long reason is told shortly')
  reports.wanted('changes')
  await clock.advance(0)
  written.splice(0)
  reports.changed()
  await clock.advance(limits.reportLookMs - 1)
  assert.equal(written, [])
  address = '192.0.2.2'
  await clock.advance(limits.reportLookMs)
  assert.is(written.length, 1)
  stopping.abort()
  await running
})

test.run()
