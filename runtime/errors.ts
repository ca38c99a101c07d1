/**
 * Errors have a stable code and cross a link as `{code, message, details}`, to arrive as their class.
 * A module that exports a protocol defines its own errors beside it with `defineError`.
 */

export type ErrorDetails = Readonly<Record<string, unknown>>

export interface WireError {
  readonly code: string
  readonly message: string
  readonly details?: ErrorDetails
}

export class ZonewrightError extends Error {
  readonly code: string
  readonly details: ErrorDetails
  constructor(code: string, message: string, details: ErrorDetails = {}) {
    super(message)
    this.code = code
    this.details = details
    this.name = code
  }
}

export type ErrorClass = new (message: string, details?: ErrorDetails) => ZonewrightError

const classes = new Map<string, ErrorClass>()

/** A subclass whose `code` and `name` are `code`; the code is unique in the program. */
export function defineError(code: string): ErrorClass {
  const named = {
    [code]: class extends ZonewrightError {
      constructor(message: string, details?: ErrorDetails) {
        super(code, message, details)
      }
    },
  }[code] as ErrorClass
  if (classes.has(code)) throw new Error(`Error code is defined twice: ${code}`)
  classes.set(code, named)
  return named
}

// Calls
export const DeadlineExceeded = defineError('DeadlineExceeded')
export const Cancelled = defineError('Cancelled')
export const Overloaded = defineError('Overloaded')
export const Denied = defineError('Denied')
export const InvalidArgument = defineError('InvalidArgument')
export const InvalidResult = defineError('InvalidResult')
export const Internal = defineError('Internal')
/** The incarnation that the call went to is gone; whether it ran is not known. */
export const Restarted = defineError('Restarted')
/** The peer is gone or not reachable; whether the call ran is not known. */
export const Unavailable = defineError('Unavailable')

/** What an actor fails to start with while the store that it lies in cannot be reached. */
export const storeAway = (error: Error): ZonewrightError => new Unavailable(error.message, { store: 'away' })
export const isStoreAway = (error: unknown): boolean =>
  error instanceof Unavailable && error.details['store'] === 'away'

// Links
export const HandshakeFailed = defineError('HandshakeFailed')
/** A forged, replayed, reordered or cut frame; the link is closed. `details.reason` says which. */
export const FrameRejected = defineError('FrameRejected')
export const LimitExceeded = defineError('LimitExceeded')

// Stores
export const NotFound = defineError('NotFound')
export const AlreadyExists = defineError('AlreadyExists')
export const RevisionMismatch = defineError('RevisionMismatch')
export const Compacted = defineError('Compacted')
export const WatchOverrun = defineError('WatchOverrun')
export const LeaseExpired = defineError('LeaseExpired')
export const StoreDamaged = defineError('StoreDamaged')
/** Nothing of the write was kept. Reads go on, and so do writes once there is room again. */
export const DiskFull = defineError('DiskFull')

/** What is asked for lies elsewhere now. `details.place` says where. */
export const StoreMoved = defineError('StoreMoved')
/** The target of a move, or what a folder is to be moved to, holds the store of another. Nothing of it was changed. */
export const StoreOfAnother = defineError('StoreOfAnother')
/** A store was used on both sides of a move, so that each has what the other has not. */
export const StoreDiverged = defineError('StoreDiverged')
/** Another one moves the store, or its move is not done: nobody may use the target. */
export const StoreBeingMoved = defineError('StoreBeingMoved')
/** What was read back is not what was copied. */
export const MoveMismatch = defineError('MoveMismatch')

// Workers and hosts
export const NotWritable = defineError('NotWritable')
export const FolderInUse = defineError('FolderInUse')
export const PortInUse = defineError('PortInUse')
export const AddressNotLocal = defineError('AddressNotLocal')
/** What a server shows is not what the caller trusts; `details.reason` is a TlsFault. */
export const TlsNotTrusted = defineError('TlsNotTrusted')
export const StartFailed = defineError('StartFailed')
export const RestartLimit = defineError('RestartLimit')
export const NeedsCycle = defineError('NeedsCycle')

/** What goes on the wire. Anything that is not ours says no more than that it failed. */
export function toWire(error: unknown): WireError {
  if (error instanceof ZonewrightError) {
    return { code: error.code, message: error.message, details: error.details }
  }
  return { code: 'Internal', message: 'The actor failed; its log says why' }
}

/** An unknown code arrives as a plain ZonewrightError with that code. */
export function fromWire(wire: WireError): ZonewrightError {
  const Class = classes.get(wire.code)
  return Class ? new Class(wire.message, wire.details) : new ZonewrightError(wire.code, wire.message, wire.details)
}

/** What may be told of anything that was thrown. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
