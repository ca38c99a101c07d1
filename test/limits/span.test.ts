/** What holds while the vault is away, and how hosts come back whose control plane was. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { refusal } from '../../actors/enrolment/answers.ts'
import { briefly } from '../../actors/enrolment/briefly.ts'
import { openTrust } from '../../actors/enrolment/trust.ts'
import { comeBackMs } from '../../actors/uplink/connection.ts'
import { DeadlineExceeded } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import { openPlatform } from '../../runtime/platform/index.ts'
import { manualClock } from '../actors/manual-clock.ts'

const { keys, random } = await openPlatform()

test('who joins waits for a vault that is away no longer than the limit, and is told when to ask again', async () => {
  const waits: unknown[] = []
  const client = Object.freeze({
    enrol: async (_: object, settings?: { readonly withinMs?: number }) => void waits.push(settings?.withinMs),
  })
  await briefly(client, limits.enrolmentVaultMs).enrol({})
  await briefly(client, limits.enrolmentVaultMs).enrol({}, { withinMs: 7 })
  assert.equal(waits, [limits.enrolmentVaultMs, 7])
  assert.ok(limits.enrolmentVaultMs < limits.enrolmentRequestMs)
  const { status, headers } = refusal(new DeadlineExceeded('The vault did not answer'))
  assert.equal([status, headers['retry-after']], [503, '1'])
})

test('for lists that are known already the vault is waited for no longer than the limit', async () => {
  const waits: unknown[] = []
  const answer = async (_: object, settings?: { readonly withinMs?: number }): Promise<never[]> => {
    waits.push(settings?.withinMs)
    return []
  }
  const trust = await openTrust({
    zone: 'a.zone', clock: manualClock(), keys, onRoots: () => {}, warn: () => {},
    vault: { authorities: answer, crl: answer, joinedHost: async () => ({}) as never },
  })
  assert.equal(waits.splice(0), [undefined, undefined], 'the first look has to succeed')
  await trust.refresh()
  assert.equal(waits, [limits.enrolmentListsMs, limits.enrolmentListsMs])
})

test('hosts that lose a good tunnel come back spread over the limit, and after a failure as before', () => {
  const draw = (failures: number, hadTunnel: boolean): number[] =>
    Array.from({ length: 400 }, () => comeBackMs(random, failures, hadTunnel))
  const spread = draw(0, true)
  assert.ok(spread.every((ms) => ms <= limits.uplinkSpreadMs))
  for (let part = 0; part < 4; part++) {
    const [from, to] = [part, part + 1].map((each) => each * limits.uplinkSpreadMs / 4) as [number, number]
    const share = spread.filter((ms) => ms > from && ms <= to).length
    assert.ok(share > 50 && share < 160, `${share} of 400 between ${from} and ${to} ms`)
  }
  assert.ok([...draw(0, false), ...draw(1, true)].every((ms) => ms <= limits.uplinkRetryMsMin))
})

test.run()
