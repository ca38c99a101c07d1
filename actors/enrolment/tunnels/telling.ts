import type { ActorStart } from '../../../runtime/actor.ts'
import { messageOf, NotFound } from '../../../runtime/errors.ts'
import { limits } from '../../../runtime/limits.ts'
import type { Client } from '../../../runtime/protocol.ts'
import type { TellKind, TunnelEnd } from '../../../transport/tunnel/protocol.ts'
import type { RevocationDocument } from '../../host-identity.ts'
import type { Vault } from '../../vault/protocol.ts'

/** What nodes are told over their tunnels: whose the control plane is, and by what to judge others. */
export interface Telling {
  /** All there is; what cannot be read now is told with the next `toAll`. */
  toOne(end: TunnelEnd): Promise<void>
  /** Only what is other than it was, and all to whom nothing could be told yet. */
  toAll(ends: readonly TunnelEnd[]): Promise<void>
}

/** It is tried again in a moment. */
const BRIEFLY = { withinMs: limits.enrolmentListsMs }

type Told = readonly (readonly [TellKind, string])[]

export function createTelling(
  { log, clock }: Pick<ActorStart, 'log' | 'clock'>, vault: Pick<Client<typeof Vault>, 'roots' | 'authorities' | 'crl'>,
  hosts: () => Promise<string>,
): Telling {
  let last: Told = []
  /** What each has heard last: nothing yet, where the vault was sealed or away when it came. */
  const heard = new WeakMap<TunnelEnd, Map<TellKind, string>>()
  const read = async (): Promise<Told> => {
    const [signed, authorities, lists, control] = await Promise.all([
      vault.roots({}, BRIEFLY).catch((error: unknown) => {
        if (error instanceof NotFound) return undefined
        throw error
      }),
      vault.authorities({ mount: 'pki' }, BRIEFLY), vault.crl({ mount: 'pki' }, BRIEFLY), hosts(),
    ])
    const revocations: RevocationDocument = {
      // Those that were revoked as well: a host knows them by their certificate, and TLS reads no lists
      authorities: authorities.filter(({ kind, notAfter }) => kind === 'intermediate' && notAfter > clock.now())
        .map(({ pem }) => pem),
      lists: lists.map(({ pem }) => pem),
    }
    // Lists are judged by the roots that came before them
    return [
      ...(signed ? [['roots', signed.document] as const] : []), ['revocation-lists', JSON.stringify(revocations)],
      ['hosts', control],
    ]
  }
  let asked: { readonly atMs: number; readonly told: Promise<Told> } | undefined
  /** As it was a moment ago: many hosts that connect at once are one question to the vault. */
  const lately = (): Promise<Told> => {
    const isFresh = asked !== undefined && clock.monotonic() - asked.atMs < limits.tunnelToldMs
    return isFresh ? asked!.told : now()
  }
  const now = (): Promise<Told> => {
    const mine = { atMs: clock.monotonic(), told: read() }
    asked = mine
    mine.told.catch(() => { if (asked === mine) asked = undefined })
    return mine.told
  }
  const failed = (error: unknown): void =>
    log.warn(`The hosts could not be told of roots and revocations: ${messageOf(error)}`)
  const say = (end: TunnelEnd, told: Told): void => {
    const before = heard.get(end) ?? new Map<TellKind, string>()
    heard.set(end, before)
    for (const [kind, text] of told) {
      if (before.get(kind) === text) continue
      before.set(kind, text)
      end.tell(kind, text)
    }
  }
  return {
    async toOne(end) {
      try {
        const told = await lately()
        // What it has heard meanwhile is newer
        if (!heard.has(end)) say(end, told)
      } catch (error) {
        failed(error)
      }
    },
    async toAll(ends) {
      try {
        const told = await now()
        const news = told.filter(([kind, text]) => !last.some(([of, was]) => of === kind && was === text))
        const long = news.find(([, text]) => text.length > limits.tunnelDocument)
        if (long) {
          log.error(`The hosts cannot be told of ${long[0]}: ${long[1].length} characters, of ${limits.tunnelDocument}`)
        }
        last = told
        for (const end of ends) say(end, told)
      } catch (error) {
        failed(error)
      }
    },
  }
}
