/** How often a host asks, and how long it waits in between. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { ServerUnreachable } from '../boot/errors.ts'
import { join } from '../boot/join/join-client.ts'
import { Unavailable } from '../runtime/errors.ts'
import { limits } from '../runtime/limits.ts'
import { openPlatform } from '../runtime/platform/index.ts'
import type { TlsTarget } from '../runtime/platform/http-ports.ts'

const platform = await openPlatform()

test('what may pass is tried as often as the limit, at growing intervals with jitter, each for its time', async () => {
  const calls: TlsTarget[] = []
  const waits: number[] = []
  let failed: unknown
  // Timers of ours keep no process alive
  const release = platform.host.hold()
  await join({
    platform: {
      ...platform,
      clock: { ...platform.clock, after: (_, task) => platform.clock.after(0, task) },
      transport: {
        ...platform.transport,
        async connectHttp(target) {
          calls.push(target)
          throw new Unavailable('Nobody listens')
        },
      },
    },
    hostname: '127.0.0.1', port: 1, given: { token: 'zwj_0_0' }, host: 'node1', roots: [],
    device: platform.keys.generate(platform.random), attempts: limits.joinAttempts, attemptMs: limits.joinAttemptMs,
    signal: new AbortController().signal, onStep() {}, onRetry: (_, waitMs) => void waits.push(waitMs),
  }).catch((error: unknown) => { failed = error })
  release()
  assert.instance(failed, ServerUnreachable)
  assert.match((failed as Error).message, new RegExp(`attempts: ${limits.joinAttempts}`))
  assert.equal(calls.map(({ withinMs }) => withinMs), Array(limits.joinAttempts).fill(limits.joinAttemptMs))
  for (const [index, wait] of waits.entries()) {
    const full = Math.min(limits.joinRetryMsMax, limits.joinRetryMsMin * 2 ** index)
    assert.ok(wait >= full / 2 && wait <= full, `${index}: ${wait} ms of ${full}`)
  }
  assert.is(waits.length, limits.joinAttempts - 1)
  assert.is(new Set(waits).size, waits.length)
})

test.run()
