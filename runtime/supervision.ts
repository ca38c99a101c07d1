import {
  array,
  boolean,
  call,
  integer,
  number,
  object,
  picklist,
  pipe,
  protocol,
  record,
  string,
  unknown,
} from './protocol.ts'

const count = pipe(number(), integer())
const State = picklist(['starting', 'serving', 'stopping', 'stopped', 'restarting', 'failed'])

/** What the supervisor of a host offers to the one actor that manages services there. */
export const Supervision = protocol('supervision', {
  /** Starts actors of the catalogue, each after what it needs and with this ENV; settles when all serve. */
  start: call(
    object({ actors: array(object({ name: string(), env: record(string(), string()) })) }),
    array(object({ name: string(), incarnation: count })),
    { concurrent: 16, suite: 'sealed' },
  ),
  /** Stops it and what needs it; answers with their names. */
  stop: call(object({ name: string() }), array(string()), { concurrent: 16 }),
  list: call(
    object({}),
    array(
      object({
        name: string(),
        state: State,
        incarnation: count,
        reason: string(),
        /** Whether it may be started and stopped here; what manages the host itself may not. */
        managed: boolean(),
      }),
    ),
    { concurrent: 8 },
  ),
  /** The documented steps seen so far, in order of arrival. */
  steps: call(
    object({}),
    array(
      object({
        sequence: string(),
        number: count,
        host: string(),
        actor: string(),
        at: number(),
        evidence: record(string(), unknown()),
      }),
    ),
    { concurrent: 8 },
  ),
})
