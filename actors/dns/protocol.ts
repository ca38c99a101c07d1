import { call, integer, number, object, pipe, protocol, string } from '../../runtime/protocol.ts'

const count = pipe(number(), integer())

/** Names of the zone for whoever asks by DNS; the actor itself only says where. */
export const Dns = protocol('dns', {
  address: call(object({}), object({
    hostname: string(), port: count,
    /** Of `kv://`, from which the names are. */
    revision: count,
  }), { concurrent: 8 }),
})
