/** What a login of the command line asks for. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { AUDIENCES, openSession } from '../../boot/client/session.ts'
import type { Saved, SessionFile } from '../../boot/client/session-file.ts'
import { InvalidPassword } from '../../actors/verify-hub/protocol.ts'
import { Denied, type ZonewrightError } from '../../runtime/errors.ts'
import { testClock } from '../runtime/link-fixture.ts'

function memoryFile(): SessionFile & { saved: Saved | undefined } {
  const file = {
    saved: undefined as Saved | undefined,
    read: async () => file.saved,
    change: async (work: (saved: Saved | undefined) => Promise<Saved | undefined>) => {
      file.saved = await work(file.saved)
    },
  }
  return file
}

type Params = Readonly<Record<string, unknown>>

/** A zone whose console may ask for these; it knows one password. */
function zoneOf(allowed: readonly string[]) {
  const asked: Params[] = []
  const file = memoryFile()
  const session = openSession({
    file, clock: testClock(), scope: 'z', zone: 'z', asked: undefined, loginHint: () => 'login',
    hub: async (method, given) => {
      const params = given as Params
      asked.push({ method, ...params })
      if (params['password'] !== 'right') throw new InvalidPassword('Invalid password')
      const audiences = (params['audiences'] ?? allowed) as readonly string[]
      if (!audiences.every((one) => allowed.includes(one))) throw new Denied('no', { reason: 'login/audience' })
      return { session_token: audiences.join(' '), refresh_token: 'r' }
    },
  })
  return { asked, file, session }
}

test('a session is asked for all that the command line calls', async () => {
  const { asked, file, session } = zoneOf(AUDIENCES)
  await session.login('alice', 'right')
  assert.is(file.saved?.sessionToken, AUDIENCES.join(' '))
  assert.is(asked.length, 1)
})

test('a zone that allows fewer gives a session for those that it allows', async () => {
  const { asked, file, session } = zoneOf(['system-config', 'node-daemon'])
  await session.login('alice', 'right')
  assert.is(file.saved?.sessionToken, 'system-config node-daemon')
  assert.equal(asked.map(({ audiences }) => audiences), [AUDIENCES, undefined])
})

test('a wrong password is sent once, and no other refusal is taken for a word on audiences', async () => {
  const { asked, file, session } = zoneOf([])
  const error: unknown = await session.login('alice', 'wrong').catch((thrown: unknown) => thrown)
  assert.is((error as ZonewrightError).code, 'InvalidPassword')
  assert.is(asked.length, 1)
  assert.is(file.saved, undefined)
})

test.run()
