import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { liveZone, removeFolders } from '../boot-fixtures/command-line.ts'
import { limits } from '../../runtime/limits.ts'

test.after(removeFolders)

test('a shell that asks for names of a zone that does not answer waits for the limit, and offers none', async () => {
  const zone = await liveZone()
  const complete = async () => {
    const began = performance.now()
    const { stdout, exitCode } = await zone.run('__complete', '--', 'kv', 'get', 'services/')
    return { names: stdout.trim().split('\n').filter(Boolean), exitCode, ms: performance.now() - began }
  }
  try {
    const answered = await complete()
    assert.ok(answered.names.includes('services/gateway'), answered.names.join())
    zone.up.signal('SIGSTOP')
    const silent = await complete()
    assert.equal([silent.names, silent.exitCode], [[], 0])
    const own = answered.ms + 3_000
    assert.ok(silent.ms >= limits.completionMs && silent.ms < limits.completionMs + own, `${silent.ms} ms`)
  } finally {
    zone.up.signal('SIGCONT')
    await zone.stop()
  }
})

test.run()
