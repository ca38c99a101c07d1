/** What a host waits for a process of its own. */
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { limits } from '../../runtime/limits.ts'
import { openPlatform } from '../../runtime/platform/index.ts'
import { endProcesses } from '../../runtime/platform/process-table.ts'
import { env, PATH, shell, withProcesses } from '../processes-fixture.ts'

const test = suite('limits of processes')
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

test('a process without a health page has to run for as long as the limit to be taken for serving', () =>
  withProcesses(async ({ processes, state }) => {
    const seconds = limits.processSettleMs / 1_000
    const early = await processes.start('early', shell(`sleep ${seconds / 2}`), env())
      .then(() => 'serving', (error: { code: string }) => error.code)
    assert.is(early, 'StartFailed')
    const began = performance.now()
    await processes.start('long', shell(`exec sleep ${seconds + 60}`), env())
    assert.ok(performance.now() - began >= limits.processSettleMs - 5)
    assert.is(state('long'), 'serving')
  }))

test('a process waits for the address of the gateway as long as the limit, and starts without it then', async () => {
  const platform = await openPlatform()
  const { clock } = platform
  /** For which time passes so much faster. */
  const times = 20
  const hasty = { ...clock, monotonic: () => clock.monotonic() * times,
    after: (ms: number, task: () => void) => clock.after(ms / times, task) }
  await withProcesses(async ({ processes, folder, state }) => {
    const began = hasty.monotonic()
    let startedMs = 0
    await processes.start('notes', shell('echo "<$ZONEWRIGHT_GATEWAY>" > gateway; exec sleep 60'), async () => {
      startedMs = hasty.monotonic() - began
      return PATH
    })
    const ms = hasty.monotonic() - began
    assert.ok(ms >= limits.processAddressMs && startedMs < ms, `${ms} ms`)
    assert.is(state('notes'), 'serving')
    // It is taken for serving after a twentieth of the time, and may not have come to write yet
    const read = (): string => {
      try {
        return readFileSync(join(folder, 'notes', 'gateway'), 'utf8')
      } catch {
        return ''
      }
    }
    for (let look = 0; look < 100 && read() === ''; look++) await pause(50)
    assert.is(read(), '<>\n')
  }, { platform: { ...platform, clock: hasty }, address: () => undefined })
})

test('processes that keep coming back are left when the time of the limit is over, and counted', async () => {
  const mark = `ZONEWRIGHT_LIMIT_TEST=${process.pid}`
  // The loop itself is not marked
  const loops = Array.from({ length: 5 }, () => spawn('sh', ['-c', `while :; do ${mark} sleep 60; done`], {
    stdio: 'ignore', detached: true,
  }))
  await pause(300)
  const began = performance.now()
  const { ended, left } = await endProcesses({ mark })
  const ms = performance.now() - began
  for (const { pid } of loops) process.kill(-pid!, 'SIGKILL')
  assert.ok(ms >= limits.processEndMs && ms < limits.processEndMs + 3_000, `${ms} ms`)
  assert.ok(ended > 5 && left > 0, `${ended} ended, ${left} left`)
})

test.run()
