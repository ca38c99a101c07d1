import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { bootStep } from '../../actors/boot-steps.ts'
import { loginTokenName, openSession, type OwnSession, type SessionOptions } from '../../actors/session.ts'
import type { Evidence } from '../../runtime/actor.ts'
import { Denied, Unavailable } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import { systemRandom } from '../../runtime/platform/random.ts'
import {
  check, claimsOf, failure, service, testZone, type Pair, type Running, type TestZone,
} from './verify-hub-zone.ts'

type Answer = 'lost reply' | 'unreachable' | 'denied' | undefined

interface Client {
  readonly options: SessionOptions
  readonly calls: { method: string; at: number }[]
  readonly steps: { number: number; evidence: Evidence }[]
  /** What happens to the next calls of verify-hub, in order; then all goes well. */
  readonly faults: Answer[]
  readonly stopping: AbortController
  hub: Running
}

/** The client side before a real verify-hub, with a line between them that can fail. */
async function client(zone: TestZone, env: Record<string, string>): Promise<Client> {
  const calls: Client['calls'] = []
  const steps: Client['steps'] = []
  const faults: Answer[] = []
  const stopping = new AbortController()
  const called = (method: string): void => void calls.push({ method, at: zone.clock.now() })
  const across = async (method: string, run: () => Promise<Pair> | Pair): Promise<Pair> => {
    called(method)
    const fault = faults.shift()
    if (fault === 'denied') throw new Denied('Refused by the test', { reason: 'token/expired' })
    if (fault === 'unreachable') throw new Unavailable('The line is cut')
    const answer = await run()
    if (fault === 'lost reply') throw new Unavailable('The line was cut after the call arrived')
    return answer
  }
  const result: Client = {
    calls, steps, faults, stopping, hub: await zone.start(),
    options: {
      clock: zone.clock, random: systemRandom, env, appid: 'service', audiences: [], stopping: stopping.signal,
      background: (task) => void task(),
      step: (_, number, evidence) => void steps.push({ number, evidence }),
      needs: {
        verifyHub: {
          loginByJwt: (args: { jwt: string }) =>
            across('login', () => result.hub.handlers.loginByJwt(args, result.hub.as(service))),
          refreshToken: (args: { refreshToken: string }) =>
            across('refresh', () => result.hub.handlers.refreshToken(args, result.hub.as(service))),
        } as never,
        nodeDaemon: { loginToken: async () => { called('loginToken'); return { jwt: zone.login() } } } as never,
      },
    },
  }
  return result
}

const methods = (from: Client): string[] => from.calls.map(({ method }) => method)
const sessions = async (zone: TestZone): Promise<number> => (await zone.store.list('sessions/')).entries.length
/** Ends the background work, which would otherwise wait for the clock for ever. */
const stop = (from: Client): void => { from.stopping.abort(); from.hub.stop() }

async function opened(env?: Record<string, string>): Promise<{ zone: TestZone; from: Client; session: OwnSession }> {
  const zone = await testZone()
  const from = await client(zone, env ?? { SERVICE_SESSION_TOKEN: zone.login() })
  return { zone, from, session: await openSession(from.options) }
}

test('the login token lies in the ENV under the name of the service', () => {
  assert.is(loginTokenName('scheduler'), 'SCHEDULER_SESSION_TOKEN')
  assert.is(loginTokenName('task-manager-2'), 'TASK_MANAGER_2_SESSION_TOKEN')
})

test('a service exchanges the login token of its ENV at once, and then refreshes', async () => {
  const { zone, from, session } = await opened()
  const first = session.token()
  const evidence = { appid: 'service', sid: String(claimsOf(first).sid) }
  assert.equal(from.steps.map(({ number }) => number), [bootStep.loginTokenReceived, bootStep.pairReceived])
  assert.equal(from.steps.at(-1)?.evidence, evidence)
  await zone.clock.advance(0)
  assert.equal(methods(from), ['login', 'refresh'])
  assert.is(claimsOf(session.token()).sid, claimsOf(first).sid)
  assert.is.not(session.token(), first)
  stop(from)
})

test('it refreshes at random points between 50 and 80 % of the life, and its token never expires', async () => {
  const { zone, from, session } = await opened()
  await zone.clock.advance(0)
  for (let minutes = 0; minutes < 24 * 60; minutes += 5) {
    await zone.clock.advance(5 * 60_000)
    assert.ok(claimsOf(session.token()).exp * 1000 > zone.clock.now())
  }
  const times = from.calls.filter(({ method }) => method === 'refresh').map(({ at }) => at)
  const shares = times.slice(1).map((at, index) => (at - times[index]!) / 900_000)
  assert.ok(shares.every((share) => share > 0.49 && share <= 0.8), shares.join(' '))
  assert.ok(Math.max(...shares) - Math.min(...shares) > 0.1, 'they must differ')
  assert.is(await sessions(zone), 1)
  stop(from)
})

test('a lost reply of the login is asked for again with the same token, and makes no second session', async () => {
  const zone = await testZone()
  const from = await client(zone, { SERVICE_SESSION_TOKEN: zone.login() })
  from.faults.push('unreachable', 'lost reply', 'lost reply')
  const opening = openSession(from.options)
  await zone.clock.advance(2_000)
  assert.ok((await opening).token())
  assert.equal(methods(from).slice(0, 4), ['login', 'login', 'login', 'login'])
  assert.is(await sessions(zone), 1)
  stop(from)
})

test('a lost reply of a refresh is asked for again and keeps the session', async () => {
  const { zone, from, session } = await opened()
  from.faults.push('lost reply', 'lost reply')
  await zone.clock.advance(5_000)
  assert.equal(methods(from), ['login', 'refresh', 'refresh', 'refresh'])
  assert.is(await sessions(zone), 1)
  assert.is((await check(from.hub, session.token())).sub, 'ood1')
  stop(from)
})

test('when the token of the ENV is missing, expired or used by another, the node daemon makes a new one', async () => {
  const zone = await testZone()
  const hub = await zone.start()
  const used = zone.login()
  await hub.handlers.loginByJwt({ jwt: used }, hub.as({ ...service, kid: 'service-link-0' }))
  const expired = zone.login({ iat: 1_000, exp: 1_060 })
  const environments: readonly Record<string, string>[] = [
    {}, { SERVICE_SESSION_TOKEN: used }, { SERVICE_SESSION_TOKEN: expired },
  ]
  for (const env of environments) {
    const from = await client(zone, env)
    assert.ok((await openSession(from.options)).token())
    assert.equal(methods(from).slice(-2), ['loginToken', 'login'])
    stop(from)
  }
  hub.stop()
})

test('when verify-hub refuses a token that was just made, opening fails', async () => {
  const zone = await testZone()
  const from = await client(zone, {})
  zone.put('nodes/ood1/config', { host: 'ood1', state: 'running', services: {} })
  await failure(Denied, () => openSession(from.options))
  assert.equal(methods(from), ['loginToken', 'login'])
})

test('a session that was ended is replaced by a new login', async () => {
  const { zone, from, session } = await opened()
  await zone.clock.advance(0)
  const before = claimsOf(session.token()).sid
  const { sessionToken } = { sessionToken: session.token() }
  from.faults.push('denied')
  await zone.clock.advance(900_000 * 0.8)
  assert.equal(methods(from), ['login', 'refresh', 'refresh', 'loginToken', 'login'])
  assert.is.not(claimsOf(session.token()).sid, before)
  assert.is.not(session.token(), sessionToken)
  stop(from)
})

test('while verify-hub is away it tries again with growing pauses, and its token serves to the end', async () => {
  const { zone, from, session } = await opened()
  await zone.clock.advance(0)
  const expires = claimsOf(session.token()).exp * 1000
  from.faults.push(...Array.from({ length: 10_000 }, () => 'unreachable' as const))
  await zone.clock.advance(expires - zone.clock.now() - 1)
  assert.ok(session.token())
  await zone.clock.advance(1)
  await failure(Unavailable, () => session.token())
  const tries = from.calls.slice(2).map(({ at }) => at)
  const pauses = tries.slice(1).map((at, index) => at - tries[index]!)
  assert.ok(pauses[0]! <= limits.loginRetryMsMin * 2, pauses.join(' '))
  assert.ok(pauses.every((pause) => pause <= limits.loginRetryMsMax), pauses.join(' '))
  assert.ok(pauses.slice(8).every((pause) => pause >= limits.loginRetryMsMax / 2), pauses.join(' '))
  from.faults.length = 0
  await zone.clock.advance(limits.loginRetryMsMax)
  assert.ok(session.token())
  stop(from)
})

test('callers that renew at the same time share one attempt', async () => {
  const { zone, from, session } = await opened()
  await zone.clock.advance(0)
  const before = from.calls.length
  await Promise.all([session.renew(), session.renew(), session.renew()])
  assert.is(from.calls.length, before + 1)
  await session.renew()
  assert.is(from.calls.length, before + 2)
  stop(from)
})

test('a verify-hub that restarts keeps the session going', async () => {
  const { zone, from, session } = await opened()
  await zone.clock.advance(0)
  const { sid } = claimsOf(session.token())
  from.hub.stop()
  from.hub = await zone.start()
  await session.renew()
  assert.is(claimsOf(session.token()).sid, sid)
  stop(from)
})

test('nothing is asked for after the service was told to stop', async () => {
  const { zone, from } = await opened()
  await zone.clock.advance(0)
  const before = from.calls.length
  stop(from)
  await zone.clock.advance(3_600_000)
  assert.is(from.calls.length, before)
})

test.run()
