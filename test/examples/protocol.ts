import { array, call, number, object, protocol, send, stream, string } from '../../runtime/protocol.ts'

export const Audit = protocol('audit', {
  append: call(object({ who: string(), by: number() }), number()),
  entries: call(object({}), array(object({ who: string(), by: number() })), { concurrent: 8 }),
})

export const Counter = protocol('counter', {
  add: call(object({ by: number() }), number()),
  watch: stream(object({ after: number() }), object({ revision: number(), total: number() })),
  note: send(object({ text: string() })),
  notes: call(object({}), array(string()), { concurrent: 8 }),
})
