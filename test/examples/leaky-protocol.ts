import { call, object, protocol, string } from '../../runtime/protocol.ts'

/** An actor that tells its secret in every way that there is. */
export const Leaky = protocol('leaky', {
  fail: call(object({}), object({})),
  log: call(object({}), object({})),
  background: call(object({}), object({})),
  uncaught: call(object({}), object({})),
  /** Puts what it was given as ENV, which is nobody's secret, into its log. */
  env: call(object({}), object({})),
  deny: call(object({ token: string() }), object({})),
})
