import { Denied, type ZonewrightError } from '../errors.ts'
import { limits } from '../limits.ts'
import type { Clock, Random } from '../platform/ports.ts'

/** In this order: a later layer is asked only when the earlier ones allowed. */
export type Layer = 'link' | 'token' | 'rbac' | 'sudo'

/** Every reason to refuse, with what the caller is told. Codes are stable; a sentence never holds a value. */
export const denialReasons = {
  'link/zone': 'The caller belongs to another zone',
  'link/unknown-host': 'The caller runs on a host that is not registered',
  'link/kernel-name': 'Only a host that runs the control plane may speak under a kernel name',
  'link/phase': 'Before the zone has booted only its first host may open links',
  'link/no-row': 'The trust matrix has no row that lets this caller open a link to this actor',
  'link/not-admitted': 'This actor does not admit this caller',
  'link/suite': 'The method asks for stronger protection of its frames',
  'link/no-token': 'No token is bound to this number',
  'link/takes-no-tokens': 'This actor takes no tokens',
  'tunnel/certificate': 'The connection shows no certificate of a host of this zone that is good now',
  'tunnel/name': 'The host says that it is another one than its certificate names',
  'tunnel/unregistered': 'The host is not registered in this zone',
  'tunnel/role': 'The host is registered for another role than its certificate names',
  'stream/link': 'A client device opens links to system-config and verify-hub only',
  'stream/http': 'Only client devices open streams to the HTTP port of a service',
  'stream/owner': 'The user whom the device belongs to is not active',
  'stream/caller': 'A host opens streams for its own actors only',
  'token/absent': 'The call needs a token',
  'token/too-long': 'The token is longer than any that a zone issues',
  'token/malformed': 'The token is not a well-formed compact JWS',
  'token/encoding': 'A part of the token is not canonical base64url',
  'token/duplicate': 'The token names a member twice, and two readers could read two tokens',
  'token/alg-none': 'The token says that nobody signed it',
  'token/alg': 'The token is signed by an algorithm that is not accepted',
  'token/b64': 'The token header says that the payload is not encoded',
  'token/crit': 'The token header asks for extensions, and none is known here',
  'token/header-key': 'The token header brings a key, or points to one',
  'token/header': 'The token header may hold alg, typ and kid only',
  'token/kid': 'The kid of the token is not the thumbprint of a key',
  'token/typ': 'The typ of the token does not name its use',
  'token/claims': 'A claim of the token is absent, unknown or has the wrong shape',
  'token/use': 'This verifier accepts no token of this use',
  'token/unknown-key': 'The token is signed by a key that this verifier does not know',
  'token/key-reason': 'The key that signed the token is not trusted for this use',
  'token/signature': 'The signature of the token does not match',
  'token/issuer': 'The key that signed the token may not sign for this issuer',
  'token/epoch': 'The token is of another zone epoch: the zone was restored from a backup',
  'token/not-yet-valid': 'The token was issued in the future: the clocks of two hosts differ',
  'token/expired': 'The token has expired',
  'token/lifetime': 'The token is made to live longer than its use allows',
  'token/subject': 'The token may not speak for this subject',
  'token/audience': 'The token is not meant for this verifier',
  'token/runtime-type': 'The token is of a runtime type that is not accepted here',
  'token/session': 'The token belongs to no login session, and this verifier asks for one',
  'token/replayed': 'The token was used before, and may be used once',
  'token/replay-unchecked': 'This verifier cannot tell whether the token was used before',
  'token/revoked': 'The login session of the token has ended',
  'token/holder': 'The token is bound to another key than that of the caller',
  'login/presenter': 'The login token was made for another actor than the one that presents it',
  'login/role': 'This role does not log in by a login token',
  'login/app': 'No service of this name is installed',
  'login/placement': 'The host is not meant to run this service now',
  'login/kernel': 'Only a host that runs the control plane may run this service',
  'login/subject': 'The service does not speak for this subject',
  'login/audience': 'The service may not ask for this audience',
  'login/user': 'The user is not active',
  'login/first-password': 'Only the supervisor of this host may ask for a first password',
  'login/nonce': 'The number that the password was hashed with is not of now',
  'login/nonce-reused': 'The number that the password was hashed with was used before: its session has been ended',
  'login/compat': 'The user may not log in by the hashed form of the password',
  'policy/lapsed': 'This verifier has lost touch with the policy, and refuses until it has it again',
  'refresh/reused': 'The refresh token was used before: its session has been ended',
  'refresh/holder': 'The refresh token belongs to another key: its session has been ended',
  'document/malformed': 'The document is not a well-formed compact JWS',
  'document/typ': 'The document is of another kind',
  'document/unknown-key': 'The document is signed by a key that is not known',
  'document/signature': 'The signature of the document does not match',
  'document/content': 'The content of the document has the wrong shape',
  'rbac/no-rule': 'No line of the policy allows this',
  'rbac/root-only': 'Only a token that the owner key signed may do this',
  'rbac/deny-line': 'A line of the policy denies this',
  'rbac/sudo-only': 'Only root, or a user by sudo, may do this',
  'rbac/boot-phase': 'Before the zone has booted there is one write: the boot transaction',
  'rbac/signed-only': 'This key is written by a signed transaction only',
  'rbac/compare': 'This key is changed only by a transaction that compares its revision',
  'sudo/no-rule': 'No line of the policy allows this with sudo either',
  'sudo/update-only': 'By sudo a user replaces the own document, and never makes or removes one',
} as const satisfies Readonly<Record<string, string>>

export type DenialReason = keyof typeof denialReasons

/** One refusal. `detail` is for the log of this host; it names claims and keys, never a token or a secret. */
export interface Denial {
  readonly layer: Layer
  readonly reason: DenialReason
  /** The rule that came closest, or '-' where none was reached. */
  readonly rule: string
  readonly detail: string
  readonly measured?: Measured
}

/**
 * How two clocks differ, for the caller as well: known only of a token whose signature was good, and the sentence
 * without it sends people to look for the wrong fault.
 */
export interface Measured {
  /** `iat` less our clock: how far the clock of who signed runs ahead of ours at the least. */
  readonly skewSeconds?: number
  /** Of a token made just now: how far the clock of who signed is behind ours. */
  readonly issuedAgoSeconds?: number
  readonly expiredAgoSeconds?: number
}

/** What one layer said of one call. */
export interface ChainEntry {
  readonly layer: Layer
  readonly verdict: 'allowed' | 'denied'
  readonly rule: string
  readonly reason?: DenialReason
  readonly detail?: string
  readonly measured?: Measured
}

export const allowedBy = (layer: Layer, rule: string): ChainEntry => ({ layer, verdict: 'allowed', rule })
export const deniedBy = ({ layer, reason, rule, detail, measured }: Denial): ChainEntry =>
  ({ layer, verdict: 'denied', rule, reason, detail, ...(measured ? { measured } : {}) })

export interface DenialRecord {
  readonly id: string
  /** Epoch milliseconds. */
  readonly at: number
  readonly reason: DenialReason
  readonly chain: readonly ChainEntry[]
}

export interface DenialLog {
  /** Keeps the chain and returns the error for the caller, who learns id, last reason and what it measured, no more. */
  denied(chain: readonly ChainEntry[]): ZonewrightError
  explain(id: string): DenialRecord | undefined
  /** All there ever were, also those forgotten since. */
  readonly total: number
}

/** Keeps the newest `limits.denials`; `onDenial` is told of each (the trace's `denial` event). */
export function createDenialLog(options: {
  readonly random: Random
  readonly clock: Clock
  readonly onDenial?: (record: DenialRecord) => void
}): DenialLog {
  const records = new Map<string, DenialRecord>()
  let total = 0
  return {
    denied(chain) {
      const reason = lastReason(chain)
      const id = freeId(options.random, records)
      const record: DenialRecord = { id, at: options.clock.now(), reason, chain: [...chain] }
      records.set(id, record)
      total++
      if (records.size > limits.denials) {
        for (const oldest of records.keys()) {
          records.delete(oldest)
          break
        }
      }
      options.onDenial?.(record)
      return new Denied(denialReasons[reason], { denial: id, reason, ...chain.at(-1)!.measured })
    },
    explain: (id) => records.get(id),
    get total() {
      return total
    },
  }
}

function lastReason(chain: readonly ChainEntry[]): DenialReason {
  const reason = chain.at(-1)?.reason
  if (!reason) throw new Error('A denial chain must end with the layer that denied')
  return reason
}

/** 'D-' and eight hexadecimal digits: short enough to be read out. Draws again while the id is taken. */
function freeId(random: Random, taken: ReadonlyMap<string, unknown>): string {
  for (;;) {
    const digits = Array.from(random.bytes(4), (byte) => byte.toString(16).padStart(2, '0')).join('')
    const id = `D-${digits}`
    if (!taken.has(id)) return id
  }
}
