import { defineError } from '../../runtime/errors.ts'
import { array, call, integer, number, object, pipe, protocol, string } from '../../runtime/protocol.ts'
import { krpcCall } from '../krpc-protocol.ts'

const count = pipe(number(), integer())

/** The boot schedule: one transaction that makes a zone of an empty store, before there is anybody to log in to. */
export const BootScheduler = protocol('boot-scheduler', {
  /** Idempotent: a second run finds `boot/config` and changes nothing. */
  bootSchedule: call(object({}), object({ revision: count, skipped: number(), verifyHubKid: string() })),
})

/** Another host's scheduler writes; it follows what changes by itself. `details` says which. */
export const NotLeading = defineError('NotLeading')

/** The loop: config in, node configs, service info and RBAC lines out. */
export const Scheduler = protocol('scheduler', {
  /** Runs one round now; answers with what it wrote. @throws NotLeading */
  round: call(object({}), object({ revision: count, written: array(string()) })),
  /** The originals' methods, as the gateway hands them on. */
  krpc: krpcCall(),
})
