import { CommanderError } from 'commander'
import { messageOf, ZonewrightError } from '../../runtime/errors.ts'
import { exitCodes } from '../errors.ts'
import { printable } from '../printable.ts'
import type { Style } from '../render.ts'

/** What to do next, where the error itself does not say. */
const nextSteps: Readonly<Record<string, string>> = {
  NotWritable: 'Make it writable for this user, or give another folder with --dir',
  FolderInUse: 'Stop that process, or give another folder with --dir',
  PortInUse: 'Give another --port, or none: then a free one is taken',
  AddressNotLocal: 'Give an address of this machine in the config (addr, http.hostname, …), or 0.0.0.0 for all of them',
  ZoneStoreMismatch: 'Restore the folder `stores` from a backup, or boot a new zone in another folder',
  StoreDamaged: 'Restore that folder from a backup',
  VaultDamaged: 'Restore the folder `stores/vault` from a backup',
  RecordInvalid: 'Restore the folder `stores/system-config` from a backup',
  VerifyHubKeyMismatch: 'Restore the folder `stores` from one backup: the vault and boot/config do not belong together',
  VaultSealed: 'Restore unseal.key from a backup: it has to be the one that this vault was made with',
  StartFailed: 'Run it again with --debug to see where it failed',
  RestartLimit: 'Run it again with --debug to see why the actor keeps failing',
  LoginLocked: 'Wait that long, or let an admin end it: users unlock NAME',
  DeadlineExceeded: 'See how the zone is with status, then run it again: what was done is kept',
}

/** What a script reads of a failure. */
export interface Failure {
  readonly code: string
  readonly message: string
  readonly next?: string
  /** Of a refusal. */
  readonly reason?: string
  /** Its code, for `explain`. */
  readonly denial?: string
}

const OTHER_ERROR = 1

export function failureOf(error: unknown): Failure {
  const message = messageOf(error)
  if (!(error instanceof ZonewrightError)) return { code: 'Internal', message: oneLine(message) }
  const { code, details } = error
  const { next = nextSteps[code] ?? clockNext(details) ?? deniedNext(details['denial']), reason, denial } = details
  const told = Object.entries({ next, reason, denial }).filter(([, value]) => typeof value === 'string')
  return { code, message: oneLine(message), ...Object.fromEntries(told) }
}

/** A wrong clock looks like a wrong token to whoever is told no more than that it was refused. */
function clockNext({ reason, skewSeconds, issuedAgoSeconds }: Readonly<Record<string, unknown>>): string | undefined {
  if (reason === 'token/not-yet-valid' && typeof skewSeconds === 'number') {
    return `Set the clock of who signed it: it is ${skewSeconds} s ahead of the clock of the zone`
  }
  if (reason === 'token/expired' && typeof issuedAgoSeconds === 'number') {
    return `By the clock of the zone it was signed ${issuedAgoSeconds} s ago: if that was just now, set the clock here`
  }
  return undefined
}

export const deniedNext = (denial: unknown): string | undefined =>
  (typeof denial === 'string' ? `An admin can see why: explain ${denial}` : undefined)

export function exitCodeOf(error: unknown): number {
  return (error instanceof ZonewrightError ? exitCodes[error.code] : undefined) ?? OTHER_ERROR
}

/** The lines for a person: what, where and what to do next. */
export function failureLines(error: unknown, style: Style, debug: boolean): readonly string[] {
  const { message, next } = failureOf(error)
  const path = error instanceof ZonewrightError ? error.details['path'] : undefined
  return [
    `${style.bad('error:')} ${printable(message)}`,
    ...(typeof path === 'string' && !message.includes(path) ? [`  where: ${printable(path)}`] : []),
    ...(next === undefined ? [] : [`  next:  ${printable(next)}`]),
    ...(debug && error instanceof Error ? stackLines(error) : []),
  ]
}

function stackLines(error: Error): readonly string[] {
  const causes = error.cause instanceof Error ? stackLines(error.cause) : []
  const details = error instanceof ZonewrightError ? [`  details: ${JSON.stringify(error.details)}`] : []
  return [...details, ...(error.stack ?? '').split('\n').map((line) => `  ${line}`), ...causes].map(printable)
}

const oneLine = (text: string): string => text.trim().replace(/\s*\n\s*/g, '; ')

/** Help and version are answers; anything else that commander ends with is a command line it could not read. */
export const isAnswer = (error: CommanderError): boolean => error.exitCode === 0

/** `error: unknown option '--onc'` and its hint, without the word that we print ourselves. */
export function usageMessage({ code, message }: CommanderError): { message: string; hint?: string } {
  if (code === 'commander.help') return { message: 'There is no help on that' }
  const [first = '', hint] = message.replace(/^error: /, '').split('\n')
  const sentence = first.charAt(0).toUpperCase() + first.slice(1)
  return hint === undefined ? { message: sentence } : { message: sentence, hint: hint.replace(/^\(|\)$/g, '') }
}
