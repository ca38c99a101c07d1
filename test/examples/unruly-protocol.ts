import { call, number, object, picklist, protocol, send, string } from '../../runtime/protocol.ts'

export const How = picklist(['throw', 'reject', 'background', 'loop', 'exit'])

const methods = {
  echo: call(object({ text: string() }), string(), { concurrent: 8 }),
  incarnation: call(object({}), number(), { concurrent: 8 }),
  /** Exclusive: nothing else of its kind runs meanwhile. */
  occupy: call(object({ ms: number() }), number()),
  secretLength: call(object({ name: string() }), number()),
  note: send(object({})),
  /** Its worker ends by this, or stops answering. */
  fail: send(object({ how: How })),
}

export const Unruly = protocol('unruly', methods)
export const UnrulyToo = protocol('unruly-too', methods)

/** Passes on to Unruly. */
export const Relay = protocol('relay', {
  echo: call(object({ text: string() }), string(), { concurrent: 8 }),
})
