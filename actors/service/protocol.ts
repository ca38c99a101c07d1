import { call, object, protocol, string } from '../../runtime/protocol.ts'

/** The example that a user copies: it greets whoever a session with this audience speaks for. */
export const Service = protocol('service', {
  greet: call(
    object({ greeting: string() }), object({ text: string(), sub: string(), appid: string() }), { concurrent: 16 },
  ),
})
