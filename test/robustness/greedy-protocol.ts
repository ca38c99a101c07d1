import {
  array, boolean, call, number, object, protocol, send, stream, string, unknown,
} from '../../runtime/protocol.ts'

/** An actor that takes what it can get. */
export const Greedy = protocol('greedy', {
  echo: call(object({ value: unknown() }), unknown(), { concurrent: 8 }),
  /** Exclusive: calls wait for it, and for each other. */
  occupy: call(object({ ms: number() }), number()),
  incarnation: call(object({}), number(), { concurrent: 8 }),
  put: call(object({ key: string() }), number(), { concurrent: 8 }),
  keys: call(object({}), array(string()), { concurrent: 8 }),
  /** Takes memory and gives none back; `gently` between other things, else all at once. */
  leak: send(object({ gently: boolean() })),
  /** Items of so many characters, as fast as they are taken. */
  items: stream(object({ count: number(), length: number() }), object({ number: number(), text: string() })),
  /** How many items of each stream it has made, newest last. */
  made: call(object({}), array(number()), { concurrent: 8 }),
})
