import { array, call, number, object, protocol, send, stream, string } from '../../../runtime/protocol.ts'

/** Serves what `Desk` needs, on another host. */
export const Clerk = protocol('clerk', {
  who: call(object({}), string(), { concurrent: 8 }),
  echo: call(object({ text: string() }), string(), { concurrent: 8 }),
  nap: call(object({ ms: number() }), string(), { concurrent: 8 }),
  count: stream(object({ to: number() }), object({ n: number() })),
  die: send(object({})),
})

const shape = {
  who: call(object({}), string(), { concurrent: 8 }),
  echo: call(object({ text: string() }), string(), { concurrent: 8 }),
  nap: call(object({ ms: number() }), string(), { concurrent: 8 }),
  count: call(object({ to: number() }), array(number()), { concurrent: 8 }),
  die: send(object({})),
}
export const Desk = protocol('desk', shape)
/** The same, that the clerk does not admit. */
export const Stranger = protocol('stranger', shape)

/** Carries links over connections of its own, one a link. */
export const Courier = protocol('courier', {
  /** The port at which it takes connections. */
  listen: call(object({}), number()),
  /** Where it dials from now on. */
  dial: call(object({ port: number() }), object({})),
  /** What it says of whom it reaches, in place of the truth; the truth again with an empty host. */
  lie: call(object({ host: string(), incarnation: number() }), object({})),
  /** How it fares when it wants to carry once more. */
  again: call(object({}), string()),
  /** Streams that it has joined. */
  streams: call(object({}), number()),
  /** What it is told when it asks for such an actor. */
  ask: call(object({ protocol: string(), host: string() }), string(), { concurrent: 1_000 }),
  die: send(object({})),
})

/** A courier whose spec does not say that it carries. */
export const Pretender = protocol('pretender', { ask: call(object({}), array(string())) })
