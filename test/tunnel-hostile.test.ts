/** The other end of a tunnel is anybody: what it says wrong, out of turn or twice ends the tunnel, or nothing. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { DeadlineExceeded, Denied, Unavailable, ZonewrightError } from '../runtime/errors.ts'
import { limits } from '../runtime/limits.ts'
import { TunnelViolation } from '../transport/tunnel/protocol.ts'
import { quiet } from './runtime/link-fixture.ts'
import { link } from './tunnel-ends.ts'
import {
  accepted, asked, credit, failure, gone, greeting, opened, piece, script, soon, violated, wanted,
} from './tunnel-script.ts'

const caller = link('p').type === 'link' ? { host: 'h', actor: 'a', incarnation: 1 } : undefined
const ask = (request: object) => ({ t: 'open', id: 1, request })

test('a message of no such form closes the tunnel', async () => {
  const messages: unknown[] = [
    '', '{', 'null', '7', '[]', '"ping"', '{}', '[[[[', '{"t":"nope"}', '{"t":"__proto__"}', '{"t":"ping"}',
    '{"t":"ping","n":1e400}', '{"t":"ping","n":1,"__proto__":{}}', `{"t":"ping","n":1,"x":1}`,
    { t: 'ping', n: 0 }, { t: 'ping', n: 1.5 }, { t: 'ping', n: '1' }, { t: 'pong', n: 2 ** 53 },
    { t: 'open', id: 1 }, { ...wanted(0) }, { ...wanted(-1) }, { ...wanted(2 ** 31 + 1) }, { ...wanted(1), more: 1 },
    ask({ type: 'file', path: '/' }), ask({ type: 'http', service: '' }),
    ask({ type: 'http', service: 'x'.repeat(256) }),
    ask({ type: 'link', protocol: 'p' }), ask({ type: 'link', protocol: 'p', caller: { ...caller, incarnation: -1 } }),
    ask({ type: 'link', protocol: 'p', host: 7, caller }), ask({ type: 'link', protocol: 'p', caller, port: 1 }),
    { t: 'opened', id: 2, granted: { host: 'h' } }, { t: 'refused', id: 2, error: { code: 1, message: '' } },
    { t: 'close', id: 1 }, { t: 'close', id: 1, reason: 'x'.repeat(1_025) },
    { t: 'tell', kind: 'virus', at: 0, text: '', last: true },
    { t: 'tell', kind: 'roots', at: -1, text: '', last: true },
    { t: 'renew', n: 1, chain: [], signature: 'x' }, { t: 'end', error: 'now' },
  ]
  for (const message of messages) {
    const one = await opened()
    one.say(message)
    await violated(one, /a message (is no JSON|has no such form)/)
  }
  const long = await opened()
  long.say({ t: 'close', id: 1, reason: 'x'.repeat(limits.tunnelMessage) })
  await violated(long, /a message is too long/)
})

test('bytes of no such form close the tunnel', async () => {
  const right = piece(1, [1, 2, 3])
  const changed = (at: number, to: number, of = right): Uint8Array => {
    const bytes = of.slice()
    bytes[at] = to
    return bytes
  }
  const messages = [
    new Uint8Array(0), right.slice(0, 7), changed(0, 0), changed(0, 3), changed(0, 255), changed(1, 4), changed(2, 1),
    changed(3, 1), piece(0, []), changed(4, 0x80), credit(1, 0), credit(1, 0x8000_0000), credit(1, 1).slice(0, 11),
    Uint8Array.of(...credit(1, 1), 0), changed(1, 1, credit(1, 1)),
  ]
  for (const message of messages) {
    const one = await opened()
    await accepted(one, 1)
    one.bring(message)
    await violated(one, /a message of a stream (is cut|has no such form)/)
  }
})

test('what is said out of turn closes the tunnel, whatever the turn', async () => {
  const hello = { t: 'hello', v: 1, greeting }
  const welcome = { t: 'welcome', v: 1, greeting }
  const early: [role: 'dialer' | 'listener', messages: unknown[]][] = [
    ['listener', [{ t: 'ready' }]], ['listener', [welcome]], ['listener', [wanted(1)]],
    ['listener', [{ t: 'ping', n: 1 }]],
    ['listener', [hello, hello]], ['listener', [hello, { t: 'ready' }]], ['listener', [hello, wanted(1)]],
    ['dialer', [hello]], ['dialer', [{ t: 'ready' }]], ['dialer', [welcome, welcome]], ['dialer', [wanted(2)]],
    ['listener', [{ ...hello, v: 2 }]], ['listener', [{ ...hello, greeting: { ...greeting, nonce: 'short' } }]],
    ['listener', [{ ...hello, greeting: { ...greeting, window: limits.tunnelWindowBytesMin - 1 } }]],
    ['listener', [{ ...hello, greeting: { ...greeting, window: limits.tunnelWindowBytesMax + 1 } }]],
  ]
  for (const [role, messages] of early) {
    const one = script(role)
    for (const message of messages) one.say(message)
    assert.instance(await failure(one.opening), TunnelViolation)
    assert.equal([one.closes.length, one.said.at(-1)?.t, one.clock.timers], [1, 'end', 0])
  }
  const bytes = script('listener')
  bytes.bring(piece(1, []))
  assert.instance(await failure(bytes.opening), TunnelViolation)
  for (const message of [hello, welcome, { t: 'ready' }]) {
    const one = await opened()
    one.say(message)
    await violated(one, /out of turn/)
  }
})

test('a mirror is not another end', async () => {
  const one = script('dialer')
  const { greeting: own } = one.said[0] as unknown as { greeting: object }
  one.say({ t: 'welcome', v: 1, greeting: own })
  assert.instance(await failure(one.opening), TunnelViolation)
})

test('an end that does not say who it is in time is closed, however far it got', async () => {
  for (const messages of [[], [{ t: 'hello', v: 1, greeting }]]) {
    const one = script('listener')
    for (const message of messages) one.say(message)
    await quiet()
    await one.clock.advance(limits.tunnelHelloMs - 1)
    assert.is(one.closes.length, 0)
    await one.clock.advance(1)
    assert.instance(await failure(one.opening), DeadlineExceeded)
    assert.equal([one.closes.length, one.clock.timers], [1, 0])
  }
})

test('an end that is refused while it was judged, or goes away meanwhile, leaves nothing', async () => {
  let judge: ((yes: boolean) => void) | undefined
  const one = script('listener', {
    onHello: () => new Promise((resolve, reject) => {
      judge = (yes) => (yes ? resolve() : reject(new Denied('Revoked')))
    }),
  })
  one.say({ t: 'hello', v: 1, greeting })
  one.end('the peer closed the connection')
  judge!(true)
  await quiet()
  assert.instance(await failure(one.opening), Unavailable)
  assert.equal([one.said, one.closes.length, one.clock.timers], [[], 1, 0])
})

test('ids grow, are of the end that opens, and are never used twice', async () => {
  for (const [first, second] of [[1, 1], [5, 3], [1, 2], [3, 4]] as const) {
    const one = await opened()
    await accepted(one, first)
    one.say(wanted(second))
    await violated(one, /an id out of turn/)
  }
  const again = await opened()
  await accepted(again, 1)
  again.say({ t: 'close', id: 1, reason: 'done' })
  again.say(wanted(1))
  await violated(again, /an id out of turn/)
})

test('answers to what nobody asked, and second answers, close the tunnel', async () => {
  const yes = (id: number) => ({ t: 'opened', id, granted: { host: 'h', incarnation: 1 } })
  const no = (id: number) => ({ t: 'refused', id, error: { code: 'Denied', message: 'no' } })
  for (const message of [yes(2), no(2), yes(1), no(4), { t: 'close', id: 2, reason: '' }, piece(2, []), credit(2, 1)]) {
    const one = await opened()
    if (message instanceof Uint8Array) one.bring(message)
    else one.say(message)
    await violated(one, /a stream that nobody opened/)
  }
  for (const message of [yes(2), no(2)]) {
    const one = await opened()
    await asked(one, 2)
    one.say(message)
    await violated(one, /a second answer/)
  }
  for (const message of [yes(1), no(1)]) {
    const one = await opened()
    await accepted(one, 1)
    one.say(message)
    await violated(one, /an answer to its own question/)
  }
})

test('a stream that is not open carries nothing', async () => {
  for (const message of [piece(1, [1]), credit(1, 1)]) {
    const one = await opened({ onOpen: () => new Promise(() => {}) })
    one.say(wanted(1))
    one.bring(message)
    await violated(one, /a stream that is not open/)
  }
  const one = await opened()
  const opening = failure(one.tunnel.open(link('p')))
  one.bring(piece(2, [1]))
  assert.instance(await opening, Unavailable)
  await violated(one, /a stream that is not open/)
  const other = await opened()
  const refused = failure(other.tunnel.open(link('p')))
  other.say({ t: 'close', id: 2, reason: 'no' })
  assert.instance(await refused, Unavailable)
  await violated(other, /a close where an answer was due/)
})

test('what comes for a stream that is over is dropped, and the others go on', async () => {
  const one = await opened()
  await accepted(one, 1)
  await accepted(one, 3)
  const seen: unknown[] = []
  one.accepting.channels.get('p3')!.receive((frame) => void seen.push(frame), () => {})
  one.say({ t: 'close', id: 1, reason: 'done' })
  one.say({ t: 'close', id: 1, reason: 'again' })
  one.bring(piece(1, new Uint8Array(limits.tunnelWindowBytes * 2)))
  one.bring(credit(1, 0x7fff_ffff))
  const mine = await asked(one, 2)
  mine.close('enough')
  await quiet()
  one.bring(piece(2, [1, 2]))
  one.say({ t: 'close', id: 2, reason: 'late' })
  one.bring(piece(3, [104, 105], 2))
  await quiet()
  assert.equal([seen, one.tunnel.streams, one.tunnel.held, one.closes], [['hi'], 1, 0, []])
  one.tunnel.close('done')
  await gone(one)
})

test('an answer that nobody waits for any more changes nothing', async () => {
  const one = await opened()
  const opening = failure(one.tunnel.open(link('slow')))
  await one.clock.advance(limits.tunnelOpenMs)
  assert.instance(await opening, DeadlineExceeded)
  assert.equal(one.said.map(({ t }) => t).slice(0, 2), ['open', 'ping'])
  one.say({ t: 'opened', id: 2, granted: { host: 'h', incarnation: 1 } })
  one.say({ t: 'pong', n: 1 })
  await quiet()
  assert.equal([one.tunnel.streams, one.closes], [0, []])
})

test('text that is none, and a frame that is half text, close the tunnel', async () => {
  const one = await opened()
  await accepted(one, 1)
  one.bring(piece(1, [0xff], 2))
  await violated(one, /not UTF-8/)
  const other = await opened()
  await accepted(other, 1)
  other.bring(piece(1, [104], 3))
  other.bring(piece(1, [105], 0))
  await violated(other, /half text/)
})

test('an error of the other end is what it says, and no more', async () => {
  const one = await opened()
  const opening = failure(one.tunnel.open(link('p')))
  one.say({ t: 'refused', id: 2, error: { code: 'constructor', message: 'm', details: { toString: 1 } } })
  const error = await opening
  assert.instance(error, ZonewrightError)
  assert.is((error as ZonewrightError).code, 'constructor')
  one.say({ t: 'end', error: { code: 'Denied', message: 'Revoked' } })
  assert.is(await soon(one.tunnel.closed), 'Revoked')
  await gone(one)
})

test.run()
