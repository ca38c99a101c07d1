import { array, call, integer, number, object, picklist, pipe, protocol, record, string, unknown } from './protocol.ts'

const count = pipe(number(), integer())
const State = picklist(['starting', 'serving', 'stopping', 'stopped', 'restarting', 'failed'])

/** What the supervisor of a host offers to the one actor that manages services there. */
export const Supervision = protocol('supervision', {
  /** Starts an actor of the catalogue and settles when it serves. ENV goes into its start message. */
  start: call(object({ name: string(), env: record(string(), string()) }), object({ incarnation: count }), { concurrent: 16, suite: 'sealed' }),
  stop: call(object({ name: string() }), object({ stopped: count }), { concurrent: 16 }),
  list: call(object({}), array(object({ name: string(), state: State, incarnation: count, reason: string() })), { concurrent: 8 }),
  /** The documented steps seen so far, in order of arrival. */
  steps: call(object({}), array(object({
    sequence: string(), number: count, host: string(), actor: string(), at: number(), evidence: record(string(), unknown()),
  })), { concurrent: 8 }),
})
