import type { ActorStart } from '../../../runtime/actor.ts'
import { messageOf, NotFound } from '../../../runtime/errors.ts'
import { limits } from '../../../runtime/limits.ts'
import type { Client } from '../../../runtime/protocol.ts'
import type { TunnelEnd } from '../../../transport/tunnel/protocol.ts'
import type { RevocationDocument } from '../../host-identity.ts'
import type { Vault } from '../../vault/protocol.ts'

/** What nodes are told over their tunnels: by which roots, and by which revocation lists, to judge others. */
export interface Telling {
  toOne(end: TunnelEnd): Promise<void>
  /** Only what is other than it was. */
  toAll(ends: readonly TunnelEnd[]): Promise<void>
}

type Told = readonly (readonly ['roots' | 'revocation-lists', string])[]

export function createTelling(
  { log, clock }: Pick<ActorStart, 'log' | 'clock'>, vault: Pick<Client<typeof Vault>, 'roots' | 'authorities' | 'crl'>,
): Telling {
  let last: Told = []
  const read = async (): Promise<Told> => {
    const [signed, authorities, lists] = await Promise.all([
      vault.roots({}).catch((error: unknown) => {
        if (error instanceof NotFound) return undefined
        throw error
      }),
      vault.authorities({ mount: 'pki' }), vault.crl({ mount: 'pki' }),
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
  const tell = async (ends: readonly TunnelEnd[], all: boolean): Promise<void> => {
    try {
      const told = await (all ? lately() : now())
      const news = all ? told : told.filter(([kind, text]) => !last.some(([of, was]) => of === kind && was === text))
      const long = news.find(([, text]) => text.length > limits.tunnelDocument)
      if (long && !all) {
        log.error(`The hosts cannot be told of ${long[0]}: ${long[1].length} characters, of ${limits.tunnelDocument}`)
      }
      if (!all) last = told
      for (const end of ends) for (const [kind, document] of news) end.tell(kind, document)
    } catch (error) {
      log.warn(`The hosts could not be told of roots and revocations: ${messageOf(error)}`)
    }
  }
  return { toOne: (end) => tell([end], true), toAll: (ends) => tell(ends, false) }
}
