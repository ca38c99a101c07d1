/** Limits of the sign-in by browser. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { createCodes, type SignedIn } from '../../actors/gateway/web/codes.ts'
import { limits } from '../../runtime/limits.ts'
import { systemRandom } from '../../runtime/platform/random.ts'
import { crypto, manualClock } from '../actors/verify-hub-zone.ts'

const test = suite('limits of the sign-in by browser')

const signedIn = (state: string): SignedIn => ({
  target: { app: 'web', origin: 'http://web.localhost', path: '/' }, state,
  pair: { session_token: 's', refresh_token: 'r', session_expires: 1, refresh_expires: 1 },
})

test('of more sign-ins than may wait the oldest is ended', async () => {
  const clock = manualClock()
  const ended: string[] = []
  const codes = createCodes({
    clock, random: systemRandom, keys: crypto, abandoned: ({ state }) => void ended.push(state),
  })
  const given = Array.from({ length: limits.signInCodes }, (_, number) => codes.put(signedIn(String(number))))
  assert.is(ended.length, 0)
  codes.put(signedIn('more'))
  assert.equal(ended, ['0'])
  assert.is(codes.take(given[0]!), undefined)
  assert.is(codes.take(given[1]!)?.state, '1')
  codes.put(signedIn('again'))
  assert.is(ended.length, 1, 'one that was taken left its place')
  await clock.advance(limits.signInCodeMs)
  assert.is(ended.length, limits.signInCodes + 1)
  codes.put(signedIn('last'))
  codes.close()
  await clock.advance(limits.signInCodeMs)
  assert.is(ended.length, limits.signInCodes + 1, 'a gateway that stops ends nobody')
})

test.run()
