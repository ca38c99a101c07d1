import { limits } from '../../runtime/limits.ts'
import type { Clock } from '../../runtime/platform/ports.ts'
import type { Client } from '../../runtime/protocol.ts'
import { NotInVault, type Vault } from '../vault/protocol.ts'

/** What the vault says of a host that joined; of one that did not, its certificate says enough. */
type Counting = { readonly atMs: number; readonly serials?: readonly string[]; readonly revoked: boolean }

interface Ports {
  readonly clock: Pick<Clock, 'monotonic'>
  readonly vault: Pick<Client<typeof Vault>, 'joinedHost'>
}

/**
 * Of the certificates of one host the newest count; those before them are in no revocation list, which they would fill.
 * While the vault does not answer, what it said last holds. @throws Unavailable where it never said anything
 */
export function countingOf({ clock, vault }: Ports) {
  const known = new Map<string, Counting>()
  /** When the vault last did not answer. */
  let failedMs = -Infinity
  const look = async (host: string): Promise<Counting> => {
    const atMs = clock.monotonic()
    try {
      const { serials, revokedAt } = await vault.joinedHost({ host }, { withinMs: limits.enrolmentListsMs })
      return { atMs, revoked: revokedAt !== undefined, ...(serials ? { serials } : {}) }
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
  /** @returns what is wrong with this certificate of this host */
  return async (host: string, role: string, serial: string): Promise<string | undefined> => {
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
    known.delete(host)
    if (known.size >= limits.enrolmentKnownHosts) known.delete(known.keys().next().value!)
    known.set(host, now!)
    return faultOf(now!, role, serial)
  }
}
