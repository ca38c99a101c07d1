import { call, number, object, picklist, protocol, string } from '../../runtime/protocol.ts'

const Payload = object({ text: string(), n: number() })
const concurrent = 4_096

export const Echo = protocol('echo', {
  mac: call(Payload, Payload, { concurrent }),
  signature: call(Payload, Payload, { concurrent, suite: 'signature' }),
})

export const Driver = protocol('driver', {
  /** Keeps `inFlight` calls under way for `ms`; answers with calls per second. */
  run: call(object({ method: picklist(['mac', 'signature']), inFlight: number(), ms: number() }), number()),
})
