import type { ActorStart, Authenticate, CallContext, Handlers } from '../../runtime/actor.ts'
import { InvalidArgument, NotFound, RevisionMismatch, Unavailable } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import {
  integer, maxValue, minValue, number, object, optional, picklist, pipe, regex, string,
} from '../../runtime/protocol.ts'
import { openEnforcer, type Enforcer } from '../enforcement/enforcer.ts'
import { answering, method, type KrpcTable } from '../krpc.ts'
import type { NodeDaemon } from '../node-daemon/protocol.ts'
import type { OwnSession } from '../session.ts'
import { KeyExists, KeyNotFound, type SystemConfig } from '../system-config/protocol.ts'
import { NotInVault, type Vault } from '../vault/protocol.ts'
import type { VerifyHub } from '../verify-hub/protocol.ts'
import { urgencyOf, type Due } from './due.ts'
import { mounts, stateOf, type CertificateRecord } from './inventory.ts'
import type { CertManager } from './protocol.ts'
import type { Published } from './published.ts'
import type { Rounds } from './rounds.ts'

export type Needs = {
  systemConfig: typeof SystemConfig; verifyHub: typeof VerifyHub; nodeDaemon: typeof NodeDaemon; vault: typeof Vault
}
type Cx = CallContext<Needs>

export interface CertManagerKrpc extends Pick<Handlers<typeof CertManager, Needs>, 'krpc'> {
  readonly authenticate: Authenticate
}

const Mount = picklist([...mounts])
const Serial = pipe(string(), regex(/^[0-9a-f]{2}(?::[0-9a-f]{2}){0,31}$/))
const Step = picklist(['prepare', 'activate', 'taint', 'revoke'])
/** RFC 5280 §5.3.1, without those that are not for a person to give. */
const Reason = picklist([
  'unspecified', 'keyCompromise', 'affiliationChanged', 'superseded', 'cessationOfOperation', 'privilegeWithdrawn',
])
const Cursor = pipe(string(), regex(/^[a-z-]+\/[0-9a-f:]*$/))
const shown = pipe(number(), integer(), minValue(1), maxValue(limits.certificatesShown))

/** What a person may see of the zone's certificates, and do to them, by the policy: `cert://…` and `ca://…`. */
export function createKrpc(
  start: ActorStart<Needs>, session: OwnSession, parts: { readonly rounds: Rounds; readonly published: Published },
): CertManagerKrpc {
  const { needs, clock } = start
  const { rounds, published } = parts
  let opening: Promise<Enforcer> | undefined
  /** Opened by the first who asks: it follows boot/config from then on. */
  const enforcer = (): Promise<Enforcer> => {
    opening ??= openEnforcer({
      start, systemConfig: needs.systemConfig, session, appid: 'cert-manager', verifier: 'kernel-service',
      burn: (token) => needs.verifyHub.burn({ token, audience: 'cert-manager' }),
    }).catch((error: unknown) => {
      opening = undefined
      throw error
    })
    return opening
  }
  const demand = async (cx: Cx, operation: 'read' | 'write', path: string): Promise<void> =>
    (await enforcer()).demand(cx, operation, path)
  /** As this actor, within the caller's time: the vault knows callers by their link. */
  const settings = ({ signal, deadline }: Cx) => ({ signal, withinMs: Math.max(0, deadline - clock.now()) })

  const told = (mount: string, record: CertificateRecord) => {
    const state = stateOf(record, clock.now())
    return {
      mount, ...record, revokedAt: record.revokedAt ?? null, state,
      urgency: state === 'valid' ? urgencyOf(record, clock.now()) : null,
    }
  }
  const dueOf = (mount: string, due: Due | undefined) =>
    (due ? { mount, step: due.step, id: due.id, at: due.at } : null)

  /** Of one mount, or of all in turn: the cursor says which is next. */
  const page = async (cx: Cx, only: string | undefined, after: string | undefined, limit: number) => {
    const [from = only ?? mounts[0], serial = ''] = after?.split('/') ?? []
    const list = only === undefined ? [...mounts] : [only]
    const index = list.indexOf(from)
    if (index < 0) throw new InvalidArgument(`after: there is no such mount: ${from}`)
    const certificates: ReturnType<typeof told>[] = []
    let at: string | null = null
    for (const mount of list.slice(index)) {
      const found = await needs.vault.certificates({
        mount, limit: limit - certificates.length, ...(mount === from && serial !== '' ? { after: serial } : {}),
      }, settings(cx))
      certificates.push(...found.certificates.map((record) => told(mount, record)))
      const next = list[list.indexOf(mount) + 1]
      if (found.more) at = `${mount}/${found.certificates.at(-1)?.serial ?? ''}`
      else at = next === undefined ? null : `${next}/`
      if (found.more || certificates.length >= limit) break
    }
    return { certificates, next: at }
  }
  /** Where a serial number is of no mount that was named, each is asked. */
  const find = async (cx: Cx, serial: string, only: string | undefined) => {
    for (const mount of only === undefined ? mounts : [only]) {
      const found = await needs.vault.certificate({ mount, serial }, settings(cx)).catch((error: unknown) => {
        if (error instanceof NotInVault) return undefined
        throw error
      })
      if (found) return { mount, found }
    }
    throw new NotFound(`There is no such certificate: ${serial}`, { serial })
  }

  const allAuthorities = async () =>
    (await Promise.all(mounts.map((mount) => needs.vault.authorities({ mount })))).flat()

  const table: KrpcTable<Cx, unknown> = {
    certificates: method(
      object({ mount: optional(Mount), after: optional(Cursor), limit: optional(shown) }),
      async ({ mount, after, limit = limits.certificatesShown }, cx: Cx) => {
        for (const each of mount === undefined ? mounts : [mount]) await demand(cx, 'read', `cert://${each}/`)
        return page(cx, mount, after, limit)
      }),
    certificate: method(object({ serial: Serial, mount: optional(Mount) }), async ({ serial, mount: only }, cx: Cx) => {
      // Before anybody is told whether it is there
      for (const each of only === undefined ? mounts : [only]) await demand(cx, 'read', `cert://${each}/${serial}`)
      const { mount, found: { pem, ...record } } = await find(cx, serial, only)
      return { ...told(mount, record), pem }
    }),
    revoke: method(
      object({ serial: Serial, mount: optional(Mount), reason: optional(Reason) }),
      async ({ serial, mount: only, reason }, cx: Cx) => {
        // A token that is good once is used up by the first question
        for (const each of only === undefined ? mounts : [only]) await demand(cx, 'write', `cert://${each}/${serial}`)
        const { mount } = await find(cx, serial, only)
        const given = { mount, serial, ...(reason === undefined ? {} : { reason }) }
        const { revokedAt } = await needs.vault.revokeCertificate(given, settings(cx))
        start.log.info('A certificate was revoked', { mount, serial, reason: reason ?? '', by: cx.principal.sub })
        await whoeverLeads(() => published.lists(mounts))
        rounds.wake()
        return { mount, serial, revokedAt }
      }),
    authorities: method(object({}), async (_, cx: Cx) => {
      for (const mount of mounts) await demand(cx, 'read', `ca://${mount}`)
      const [lists, since] = await Promise.all([
        Promise.all(mounts.map((mount) => needs.vault.authorities({ mount }, settings(cx)))), published.told(),
      ])
      const authorities = lists.flat().map((each) => ({
        ...each, since: since.get(each.id)?.since ?? null, urgency: urgencyOf(each, clock.now()),
      }))
      const next = mounts.map((mount) => dueOf(mount, rounds.seen?.due.get(mount))).filter((due) => due !== null)
      return { authorities, next, failure: rounds.failure }
    }),
    step_authority: method(
      object({ mount: Mount, step: Step, id: optional(string()) }), async ({ mount, step, id }, cx: Cx) => {
        await demand(cx, 'write', `ca://${mount}`)
        const given = { mount, step, ...(id === undefined ? {} : { id }) }
        const authorities = await needs.vault.stepAuthority(given, settings(cx))
        start.log.info('An authority took a step that somebody asked for', { mount, step, by: cx.principal.sub })
        // The leader may be another host, which has not been asked
        if (!rounds.leads) await whoeverLeads(async () => published.roots(await allAuthorities(), published.unbound))
        rounds.wake()
        return { authorities }
      }),
    crl: method(object({ mount: optional(Mount) }), async ({ mount: only }, cx: Cx) => {
      const asked = only === undefined ? mounts : [only]
      for (const mount of asked) await demand(cx, 'read', `ca://${mount}`)
      const lists = await Promise.all(asked.map(async (mount) =>
        (await needs.vault.crl({ mount }, settings(cx))).map((list) => ({ mount, ...list }))))
      return { lists: lists.flat() }
    }),
    /** What is to be said of a zone's health: what ends before long, and what comes next. */
    summary: method(object({}), async (_, cx: Cx) => {
      for (const mount of mounts) await demand(cx, 'read', `ca://${mount}`)
      const { seen, failure } = rounds
      if (!seen) throw new Unavailable(`The certificates were not looked at yet${failure === '' ? '' : `: ${failure}`}`)
      const now = clock.now()
      return {
        at: seen.at, failure,
        counts: Object.fromEntries(seen.surveys.map(({ mount, counts }) => [mount, counts])),
        expiring: seen.surveys.flatMap(({ expiring }) => expiring.map(({ mount, record }) => told(mount, record))),
        authorities: [...seen.authorities.values()].flat().filter(({ state }) => state === 'active')
          .map(({ mount, id, kind, notAfter, notBefore }) =>
            ({ mount, id, kind, notAfter, urgency: urgencyOf({ notBefore, notAfter }, now) })),
        next: mounts.map((mount) => dueOf(mount, seen.due.get(mount))).filter((due) => due !== null),
      }
    }),
  }
  return {
    krpc: answering(table),
    authenticate: async (token, peer, use) => (await enforcer()).authenticate(token, peer, use),
  }
}

/** What is published is read again when another host was faster. */
async function whoeverLeads(publish: () => Promise<unknown>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await publish()
      return
    } catch (error) {
      const wasFaster = error instanceof RevisionMismatch || error instanceof KeyExists || error instanceof KeyNotFound
      if (!wasFaster || attempt >= limits.storeRaces) throw error
    }
  }
}
