/** What verify-hub remembers of those who try, whoever they are. */
import { test } from 'uvu'
import type { Endings } from '../../actors/verify-hub/endings.ts'
import { createLockout } from '../../actors/verify-hub/lockout.ts'
import { LoginLocked } from '../../actors/verify-hub/protocol.ts'
import { createRisk } from '../../actors/verify-hub/risk.ts'
import { openSessions } from '../../actors/verify-hub/sessions.ts'
import { limits } from '../../runtime/limits.ts'
import { systemRandom as random } from '../../runtime/platform/random.ts'
import { createMemoryStore } from '../../runtime/store/memory.ts'
import { crypto as keys, failure, manualClock } from '../actors/verify-hub-zone.ts'

const HOUR_MS = 60 * 60_000

test('of names that are locked so many are remembered, and the one that would be free first gives way', async () => {
  const clock = manualClock()
  const lockout = createLockout({ store: createMemoryStore({ clock, random }), clock, keys })
  await lockout.lock('first', HOUR_MS)
  for (let index = 1; index < limits.loginNames; index++) await lockout.lock(`name${index}`, 2 * HOUR_MS)
  await failure(LoginLocked, () => lockout.attempt('first'))
  await lockout.lock('one more', 2 * HOUR_MS)
  await lockout.attempt('first')
  await failure(LoginLocked, () => lockout.attempt('name1'))
})

test('of those whose mishaps are counted so many are remembered, and the oldest gives way', async () => {
  const clock = manualClock()
  const store = createMemoryStore({ clock, random })
  const lockout = createLockout({ store: createMemoryStore({ clock, random }), clock, keys })
  const log = { info() {}, warn() {}, error() {} }
  const start = { store, clock, keys, log, count: () => {} }
  const risk = createRisk({ start, sessions: openSessions(store), endings: {} as Endings, lockout })
  const event = 'password-failed'
  risk.follow(JSON.stringify({
    riskRules: [{ id: 'twice', event, per: 'user', count: 2, withinMs: HOUR_MS, action: 'lock', forMs: HOUR_MS }],
  }))
  for (const user of ['first', 'second']) await risk.saw(event, { user })
  await clock.advance(2_000)
  for (let index = 2; index < limits.riskSubjects; index++) await risk.saw(event, { user: `user${index}` })
  await risk.saw(event, { user: 'first' })
  await failure(LoginLocked, () => lockout.attempt('first'))
  // Now there is room for one, and then for none
  for (const user of ['one', 'more']) await risk.saw(event, { user })
  await risk.saw(event, { user: 'second' })
  await lockout.attempt('second')
})

test.run()
