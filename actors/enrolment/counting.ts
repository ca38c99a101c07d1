import { limits } from '../../runtime/limits.ts'
import type { Clock } from '../../runtime/platform/ports.ts'
import type { Client } from '../../runtime/protocol.ts'
import { NotInVault, type JoinedHost, type Vault } from '../vault/protocol.ts'

/** What the vault says of a host that joined; of one that did not, its certificate says enough. */
type Counting = { readonly atMs: number; readonly serials?: readonly string[]; readonly revoked: boolean }

interface Ports {
  readonly clock: Pick<Clock, 'monotonic'>
  readonly vault: Pick<Client<typeof Vault>, 'joinedHost'>
}

export interface Counted {
  /** @returns what is wrong with this certificate of this host */
  faultOf(host: string, role: string, serial: string): Promise<string | undefined>
  /** What the vault is being asked about a host, just now and for another reason, is known here as well. */
  noting(host: string, asked: Promise<JoinedHost>): Promise<JoinedHost>
}

/**
 * Of the certificates of one host the newest count; those before them are in no revocation list, which they would fill.
 * While the vault does not answer, what it said last holds. @throws Unavailable where it never said anything
 */
export function countingOf({ clock, vault }: Ports): Counted {
  const known = new Map<string, Counting>()
  /** When the vault last did not answer. */
  let failedMs = -Infinity
  const said = (atMs: number, { serials, revokedAt }: JoinedHost): Counting =>
    ({ atMs, revoked: revokedAt !== undefined, ...(serials ? { serials } : {}) })
  const keep = (host: string, now: Counting): void => {
    known.delete(host)
    if (known.size >= limits.enrolmentKnownHosts) known.delete(known.keys().next().value!)
    known.set(host, now)
  }
  const look = async (host: string): Promise<Counting> => {
    const atMs = clock.monotonic()
    try {
      return said(atMs, await vault.joinedHost({ host }, { withinMs: limits.enrolmentListsMs }))
    } catch (error) {
      if (error instanceof NotInVault) return { atMs, revoked: false }
      throw error
    }
  }
  const faultOf = ({ serials, revoked }: Counting, role: string, serial: string): string | undefined => {
    if (revoked) return 'revoked'
    // An OOD gets its certificates by its own vault
    return role === 'ood' || serials === undefined || serials.includes(serial) ? undefined : 'superseded'
  }
  const faultNow = async (host: string, role: string, serial: string): Promise<string | undefined> => {
    const last = known.get(host)
    const isFresh = last && clock.monotonic() - last.atMs < limits.enrolmentCrlMs
    // The next certificate of a host is shown as soon as it has it
    if (isFresh && faultOf(last, role, serial) === undefined) return undefined
    // While the vault is away not each of many hosts waits for it
    if (last && clock.monotonic() - failedMs < limits.enrolmentCrlMs) return faultOf(last, role, serial)
    let now = last
    try {
      now = await look(host)
    } catch (error) {
      failedMs = clock.monotonic()
      if (!now) throw error
    }
    keep(host, now!)
    return faultOf(now!, role, serial)
  }
  return {
    faultOf: faultNow,
    async noting(host, asked) {
      const atMs = clock.monotonic()
      const joined = await asked
      // What was asked for later counts, whatever is answered first
      if (atMs >= (known.get(host)?.atMs ?? -Infinity)) keep(host, said(atMs, joined))
      return joined
    },
  }
}
