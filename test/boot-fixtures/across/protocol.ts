import { call, integer, number, object, pipe, protocol, string } from '../../../runtime/protocol.ts'

const count = pipe(number(), integer())

/** Says where it is. */
export const Echo = protocol('echo', {
  where: call(object({ n: count }), object({ n: count, host: string(), asked: string() }), { concurrent: 8 }),
})

/** Asks `echo`, wherever that is, for as long as it runs, and logs each answer. */
export const Asker = protocol('asker', { asked: call(object({}), object({ answers: count })) })
