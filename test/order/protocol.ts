import { array, call, number, object, protocol, send, stream, string, type Infer } from '../../runtime/protocol.ts'

/** `id` is a lane and a number in it, `left pass/7`: a lane is what its sender sends in an order of its own. */
const numbered = object({ id: string() })
const counted = object({ id: string(), count: number() })
const handed = object({ caller: string(), incarnation: number(), what: string() })

const sent = object({ callee: string(), what: string() })

/** A message as its callee was handed it: who sent it, and `method lane/number`. */
export type Handed = Infer<typeof handed>
/** A message, or the cancellation of one, as its caller sent it. */
export type Sent = Infer<typeof sent>

/** Wider than all that is ever in flight: nothing waits, so what begins is in the order in which it arrived. */
const wide = { concurrent: 4_000 }

/** Handed everything at once: its exclusive methods answer in the same turn. */
export const Ledger = protocol('ledger', {
  note: send(numbered),
  add: call(numbered, number()),
  sign: call(numbered, number(), { suite: 'signature' }),
  read: call(numbered, number(), wide),
  list: stream(counted, number()),
  hold: call(numbered, number(), wide),
  handed: call(object({}), array(handed)),
})

/** Calls the ledger for others, so its exclusive method and its narrow one have a queue each. */
export const Hub = protocol('hub', {
  pass: call(numbered, number()),
  fan: call(numbered, number(), { concurrent: 8 }),
  tail: stream(counted, number()),
  hold: call(numbered, number(), wide),
  handed: call(object({}), array(handed), wide),
  sent: call(object({}), array(sent), wide),
})

/** Answers with what it sent, in order. */
const speaker = { speak: call(object({ as: string() }), array(sent)) }
export const Left = protocol('left', speaker)
export const Right = protocol('right', speaker)
