/** What the command line bounds when it speaks to a zone. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { listSessions } from '../../boot/client/account.ts'
import { follow } from '../../boot/client/follow.ts'
import { krpcCall, krpcStream, type KrpcPort } from '../../boot/client/krpc.ts'
import { openSessionFile } from '../../boot/client/session-file.ts'
import { until } from '../../boot/client/until.ts'
import type { ZoneClient } from '../../boot/client/zone-client.ts'
import { FolderInUse, Unavailable } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import type { HttpCall } from '../../runtime/platform/ports.ts'
import { quiet, testClock, type TestClock } from '../runtime/link-fixture.ts'

const test = suite('limits of the command line')

const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(() => 'done', (error: unknown) => (error as { code?: string }).code ?? String(error))
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)

async function* chunks(...parts: readonly Uint8Array[]): AsyncIterable<Uint8Array> {
  yield* parts
}

/** A zone that answers with this body, whatever it is asked. */
function answering(body: () => AsyncIterable<Uint8Array>): KrpcPort & { readonly calls: HttpCall[] } {
  const calls: HttpCall[] = []
  return {
    calls, clock: testClock(), hostname: '127.0.0.1', port: 1,
    transport: {
      request: async (call) => {
        calls.push(call)
        return { status: 200, headers: {}, body: body() }
      },
    },
  }
}

const request = { service: 'system_config', method: 'sys_config_get', params: {} } as const
/** `{"result":"…"}` has 13 bytes of its own. */
const answerOf = (bytes: number): readonly Uint8Array[] => {
  const part = utf8('x'.repeat(1024 * 1024))
  const whole = Math.floor((bytes - 13) / part.length)
  return [utf8('{"result":"'), ...Array.from({ length: whole }, () => part),
    part.subarray(0, (bytes - 13) % part.length), utf8('"}')]
}

test('an answer as long as the limit is read, a byte more is LimitExceeded', async () => {
  const most = limits.clientAnswerBytes
  for (const [bytes, outcome] of [[most, 'done'], [most + 1, 'LimitExceeded']] as const) {
    const parts = answerOf(bytes)
    assert.is(parts.reduce((sum, { length }) => sum + length, 0), bytes)
    assert.is(await codeOf(krpcCall(answering(() => chunks(...parts)), request)), outcome)
  }
})

test('a call asks for its answer within the limit, unless it says another time', async () => {
  const port = answering(() => chunks(utf8('{"result":1}')))
  await krpcCall(port, request)
  await krpcCall(port, { ...request, withinMs: 5 })
  assert.equal(port.calls.map(({ withinMs }) => withinMs), [limits.clientCallMs, 5])
})

test('an answer that never ends is given up at the limit, and its connection is left', async () => {
  const clock = testClock()
  let left = false
  const port: KrpcPort = {
    clock, hostname: '127.0.0.1', port: 1,
    transport: {
      request: async ({ signal }) => ({
        status: 200, headers: {},
        body: (async function* body() {
          yield utf8('{"result":')
          await new Promise<never>((_, reject) => signal?.addEventListener('abort', () => {
            left = true
            reject(new Unavailable('cut'))
          }))
        })(),
      }),
    },
  }
  const ended = codeOf(krpcCall(port, request))
  await quiet()
  await clock.advance(limits.clientCallMs - 1)
  assert.is(await Promise.race([ended, quiet().then(() => 'it goes on')]), 'it goes on')
  await clock.advance(1)
  assert.is(await ended, 'DeadlineExceeded')
  assert.ok(left)
})

test('a stream may be silent for as long as the limit, and a byte begins that time anew', async () => {
  const clock = testClock()
  let give = (_: Uint8Array): void => {}
  const next = (): Promise<Uint8Array> => new Promise((resolve) => { give = resolve })
  const port: KrpcPort = {
    clock, hostname: '127.0.0.1', port: 1,
    transport: {
      request: async ({ signal }) => ({
        status: 200, headers: {},
        body: (async function* body() {
          const cut = new Promise<never>((_, reject) =>
            signal?.addEventListener('abort', () => reject(new Unavailable('cut'))))
          for (;;) yield await Promise.race([next(), cut])
        })(),
      }),
    },
  }
  const ended = codeOf((async () => {
    for await (const _ of krpcStream(port, request)) continue
  })())
  const isOver = (): Promise<boolean> => Promise.race([ended.then(() => true), quiet().then(() => false)])
  await quiet()
  await clock.advance(limits.clientSilenceMs - 1)
  give(utf8('\n'))
  await quiet()
  await clock.advance(limits.clientSilenceMs - 1)
  assert.not(await isOver())
  await clock.advance(1)
  assert.is(await ended, 'Unavailable')
})

const away = (clock: TestClock): ZoneClient =>
  ({ platform: { clock }, relocate: async () => {} }) as unknown as ZoneClient

test('a stream of a zone that went away is tried again after each pause, until the limit', async () => {
  const clock = testClock()
  let attempts = 0
  const ended = codeOf((async () => {
    const open = (): AsyncIterable<unknown> => {
      attempts++
      throw new Unavailable('It is away')
    }
    for await (const _ of follow(away(clock), new AbortController().signal, open)) continue
  })())
  await quiet()
  assert.is(attempts, 1)
  await clock.advance(limits.clientRetryMs - 1)
  assert.is(attempts, 1)
  await clock.advance(1)
  assert.is(attempts, 2)
  await clock.advance(limits.clientReconnectMs - limits.clientRetryMs)
  assert.is(await Promise.race([ended, quiet().then(() => 'it goes on')]), 'it goes on')
  await clock.advance(2 * limits.clientRetryMs)
  assert.is(await ended, 'Unavailable')
  assert.ok(Math.abs(attempts - limits.clientReconnectMs / limits.clientRetryMs) < 4, `${attempts}`)
})

test('what is waited for is looked at once a pause, for as long as was asked', async () => {
  const clock = testClock()
  let looks = 0
  const found = until(away(clock), 10 * limits.clientRetryMs, async () => {
    looks++
    return undefined
  })
  await quiet()
  await clock.advance(20 * limits.clientRetryMs)
  assert.is(await found, undefined)
  assert.is(looks, 11)
})

test('as many sessions as the limit are listed, and one more is LimitExceeded', async () => {
  const PAGE = 1_000
  const zoneOf = (count: number): ZoneClient => ({
    call: async (_service: string, method: string, { after = '-1' }: { after?: string }) => {
      assert.is(method, 'list_sessions')
      const from = Number(after) + 1
      const size = Math.min(PAGE, count - from)
      const sessions = Array.from({ length: size }, (_, index) => ({
        sid: String(from + index), sub: 'alice', appid: 'console', runtime_type: 'user', host: null, holder: null,
        created_ms: 0, expires: 1, state: 'live', reason: '', current: false,
      }))
      return { sessions, more: from + size < count }
    },
  }) as unknown as ZoneClient
  assert.is((await listSessions(zoneOf(limits.clientSessions), 'alice')).length, limits.clientSessions)
  assert.is(await codeOf(listSessions(zoneOf(limits.clientSessions + 1), 'alice')), 'LimitExceeded')
})

test('a command waits for others that use the session, as long as the limit', async () => {
  for (const [freeAfterMs, outcome] of [[limits.clientLockMs - 100, 'done'], [Infinity, 'FolderInUse']] as const) {
    const clock = testClock()
    const began = clock.monotonic()
    const files = {
      makeFolder: async () => {}, write: async () => {}, remove: async () => {},
      lock: async () => {
        if (clock.monotonic() - began < freeAfterMs) throw new FolderInUse('Another command runs')
        return async () => {}
      },
    }
    const platform = { clock, host: { env: () => '/alice', openFolder: async () => files } }
    const terminal = { read: async () => { throw Object.assign(new Error('absent'), { code: 'ENOENT' }) } }
    const place = { scope: 'z1', user: 'alice', file: undefined }
    const changed = codeOf(openSessionFile(terminal as never, platform as never, place).change(async () => undefined))
    await quiet()
    await clock.advance(limits.clientLockMs + limits.clientRetryMs)
    assert.is(await changed, outcome)
    assert.ok(clock.monotonic() - began <= limits.clientLockMs + limits.clientRetryMs)
  }
})

test.run()
