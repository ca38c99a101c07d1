import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { ZonewrightError } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import { createCaller } from '../../runtime/link/caller.ts'
import type { Message } from '../../runtime/link/link.ts'
import { serveLink } from '../../runtime/link/serve.ts'
import { Counter, counter, rawCaller } from './counter-fixture.ts'
import { keys, linkPair, quiet } from './link-fixture.ts'

const hostile = suite('hostile callers')

const junk: readonly (readonly [string, readonly Message[]])[] = [
  ['an unknown kind of message', [[77, 1]]],
  ['a message that only a server sends', [[8, 1, 1]]],
  ['a method that there is not', [[1, 1, 99, 2e13, 0, {}]]],
  ['a method of another kind', [[1, 1, 5, 2e13, 0, {}]]],
  ['an id that is no number', [[1, 'x', 0, 2e13, 0, {}]]],
  ['an id used twice', [[1, 5, 1, 2e13, 0, {}], [1, 5, 1, 2e13, 0, {}]]],
  ['an id that goes back', [[1, 5, 1, 2e13, 0, {}], [1, 4, 1, 2e13, 0, {}]]],
  ['a deadline that is no number', [[1, 1, 0, 'soon', 0, {}]]],
  ['a slot out of range', [[1, 1, 0, 2e13, limits.boundTokens + 1, {}]]],
  ['a token bound to no number', [[6, 0, 't']]],
  ['a token that is no text', [[6, 1, 7]]],
  ['a token that is too long', [[6, 1, 'x'.repeat(limits.token + 1)]]],
  ['a cancellation of what was never asked', [[4, 9]]],
  ['credit for what was never asked', [[5, 9, 1]]],
  ['credit for a call', [[1, 1, 0, 2e13, 0, { by: 1 }], [5, 1, 1]]],
  ['more credit than there is', [[3, 1, 5, 2e13, 0, { from: 0, to: 0 }], [5, 1, 1]]],
  ['a trace id that is no hexadecimal', [[1, 1, 0, 2e13, 0, {}, 'Z'.repeat(32), 'a'.repeat(16)]]],
  ['a second greeting', [[0, 'counter', 'x']]],
]
for (const [what, messages] of junk) {
  hostile(`${what} closes the link as malformed, and other links go on`, async () => {
    const target = await counter({ add: () => new Promise(() => undefined) })
    const raw = await rawCaller(target)
    for (const message of messages) raw.send(message)
    await quiet()
    assert.equal(raw.rejected, ['malformed'])
    assert.is(raw.closed?.code, 'FrameRejected')
    assert.is(await target.caller.client.read({}), 7)
  })
}

hostile('a call before the greeting closes the link', async () => {
  const target = await counter()
  const fresh = await linkPair({ clock: target.clock })
  serveLink(fresh.responder, target.service)
  fresh.initiator.receive(() => undefined, () => undefined)
  fresh.initiator.send([1, 1, 0, 2e13, 0, { by: 1 }])
  await quiet()
  assert.equal(fresh.rejected, ['malformed'])
})

hostile('one that floods gets Overloaded, not memory', async () => {
  const raw = await rawCaller(await counter({ read: () => new Promise(() => undefined) }))
  for (let id = 1; id <= limits.inFlight + 5; id++) raw.send([1, id, 1, 2e13, 0, {}])
  const codes: unknown[] = []
  await quiet(2_000)
  for (let count = 0; count < 5; count++) codes.push((await raw.next())[2])
  assert.is(codes.filter((code) => code === 'Overloaded').length, 5)
})

hostile('a hostile server cannot answer what was not asked', async () => {
  const answers: Message[] = [[8, 1, 1], [10, 1, {}], [11, 1], [9, 1, 'Denied', 'x', {}], [1, 1], ['x'], [8, 'x'],
    [12, 1, {}], [12, [1], {}], [12, ['x'], {}], [12]]
  for (const message of answers) {
    const { initiator, responder, clock } = await linkPair()
    const caller = createCaller(Counter, { clock, keys })
    let closed: ZonewrightError | undefined
    responder.receive((hello) => void (hello[0] === 0 && responder.send(hello)), () => undefined)
    caller.attach(initiator, (error) => void (closed = error))
    await quiet()
    responder.send(message)
    await quiet()
    assert.is(closed?.code, 'FrameRejected', JSON.stringify(message))
  }
})

hostile('a hostile server cannot give an item to a call, nor more items than a reader has credit for', async () => {
  const tooMany = Array.from({ length: limits.streamCredit + 1 }, () => 2)
  for (const ids of [[1], tooMany]) {
    const { initiator, responder, clock } = await linkPair()
    const caller = createCaller(Counter, { clock, keys })
    let closed: ZonewrightError | undefined
    responder.receive((hello) => void (hello[0] === 0 && responder.send(hello)), () => undefined)
    caller.attach(initiator, (error) => void (closed = error))
    const call = caller.client.read({}).catch((error: ZonewrightError) => error.code)
    void caller.client.watch({ from: 0, to: 0 })[Symbol.asyncIterator]()
    await quiet()
    responder.send([12, ids, { n: 1 }])
    await quiet()
    assert.is(closed?.code, 'FrameRejected')
    assert.is(await call, 'FrameRejected')
  }
})

hostile.run()
