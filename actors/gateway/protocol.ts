import { call, integer, number, object, pipe, protocol, string } from '../../runtime/protocol.ts'

export const Gateway = protocol('gateway', {
  address: call(object({}), object({ hostname: string(), port: pipe(number(), integer()) }), { concurrent: 8 }),
})
