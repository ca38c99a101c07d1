import type { ActorStart } from '../../runtime/actor.ts'
import { messageOf } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import type { Client } from '../../runtime/protocol.ts'
import { backoffMs } from '../../runtime/restart.ts'
import { pause } from '../../runtime/within.ts'
import type { Term } from '../leading.ts'
import { VaultSealed, type Vault } from '../vault/protocol.ts'
import { dueStep, nextUrgencyAt, type Authority, type Due } from './due.ts'
import { mounts, survey, type Survey } from './inventory.ts'
import type { Published } from './published.ts'
import { createWarnings } from './warnings.ts'

/** What the last round saw. */
export interface Seen {
  /** Epoch milliseconds. */
  readonly at: number
  readonly authorities: ReadonlyMap<string, readonly Authority[]>
  readonly surveys: readonly Survey[]
  /** By mount: what comes next. */
  readonly due: ReadonlyMap<string, Due | undefined>
}

export interface Rounds {
  /** Undefined before the first that was whole. */
  readonly seen: Seen | undefined
  /** Why the last one was not whole; empty when it was. */
  readonly failure: string
  readonly leads: boolean
  /** Something has changed: another round, now. */
  wake(): void
  /** Until the actor stops. */
  run(): Promise<void>
}

export interface RoundsOptions {
  readonly start: Pick<ActorStart, 'clock' | 'random' | 'log' | 'stopping' | 'gauge' | 'count'>
  readonly vault: Client<typeof Vault>
  readonly published: Published
  /** While it leads. Who does not only looks, and finds all as it stands when its turn comes. */
  readonly term: () => Pick<Term, 'write'> | undefined
}

const RETRY = { min: limits.certificateRetryMsMin, max: limits.certificateRetryMsMax }
/** To one who does not lead. */
const NOTHING_DUE = { refreshAt: Infinity, oldestEnds: Infinity }
const inSeconds = (ms: number): number => Math.floor(ms / 1_000)

/**
 * Looks after authorities, lists and certificates. Each round begins with what is durable, and may be cut anywhere: the
 * next one finds what is left to be done.
 */
export function createRounds({ start, vault, published, term }: RoundsOptions): Rounds {
  const { clock, log, stopping, gauge, count } = start
  const jitter = start.random.fork('rounds')
  const warnings = createWarnings(log)
  let wake = new AbortController()
  let seen: Seen | undefined
  let failure = ''
  let tidiedAt = -Infinity
  stopping.addEventListener('abort', () => wake.abort())

  const authoritiesNow = async (): Promise<ReadonlyMap<string, readonly Authority[]>> =>
    new Map(await Promise.all(mounts.map(async (mount) => [mount, await vault.authorities({ mount })] as const)))

  /** One step of one mount, where its time has come. */
  const stepNow = async (mount: string, due: Due): Promise<boolean> => {
    try {
      await vault.stepAuthority({ mount, step: due.step, id: due.id })
    } catch (error) {
      // Not yet, says the vault: what it waits for is not in what was read here
      log.warn(`An authority did not take its next step: ${messageOf(error)}`, { mount, step: due.step, id: due.id })
      return false
    }
    count(`authority_steps_total{mount="${mount}",step="${due.step}"}`)
    log.info('An authority took its next step', { mount, step: due.step, id: due.id })
    return true
  }

  const tell = ({ at, authorities, surveys }: Seen, lists: { oldestEnds: number }): void => {
    for (const { mount, counts, soonest } of surveys) {
      for (const [state, found] of Object.entries(counts)) {
        gauge(`certificates{mount="${mount}",state="${state}"}`, found)
      }
      for (const role of roles.get(mount) ?? []) if (!soonest.has(role)) gauge(expiryOf(mount, role), undefined)
      for (const [role, end] of soonest) gauge(expiryOf(mount, role), inSeconds(end))
      roles.set(mount, [...soonest.keys()])
    }
    for (const [mount, list] of authorities) {
      for (const kind of ['root', 'intermediate'] as const) {
        const active = list.findLast((each) => each.kind === kind && each.state === 'active')
        gauge(`authority_expiry_seconds{mount="${mount}",kind="${kind}"}`, active && inSeconds(active.notAfter))
      }
    }
    gauge('crl_expiry_seconds', Number.isFinite(lists.oldestEnds) ? inSeconds(lists.oldestEnds) : undefined)
    if (term()) warnings.tell(at, authorities, surveys)
  }
  const roles = new Map<string, readonly string[]>()

  /** Answers with when the next one is due, in epoch milliseconds. */
  const round = async (): Promise<number> => {
    const mine = term()
    const { sealed } = await vault.status({})
    gauge('vault_sealed', sealed ? 1 : 0)
    if (sealed) throw new VaultSealed('The vault is sealed')
    if (mine) await vault.ensureAuthorities({})
    let authorities = await authoritiesNow()
    const roots = mine ? await published.roots([...authorities.values()].flat(), mine) : NOTHING_DUE
    const surveys: Survey[] = []
    for (const mount of mounts) surveys.push(await survey(vault, mount, clock.now()))
    const due = new Map<string, Due | undefined>()
    let stepped = false
    for (const [index, mount] of mounts.entries()) {
      const told = await published.told()
      const lastEnds = (id: string): number => surveys[index]!.lastEnds.get(id) ?? 0
      const next = dueStep({ authorities: authorities.get(mount)!, told, lastEnds, now: clock.now() })
      if (mine && next && next.at <= clock.now() && await stepNow(mount, next)) stepped = true
      due.set(mount, next)
    }
    if (stepped) authorities = await authoritiesNow()
    const lists = mine ? await published.lists(mounts, mine) : NOTHING_DUE
    if (mine && clock.now() - tidiedAt >= limits.certificateKeepMs / 30) {
      for (const mount of mounts) {
        const { removed } = await vault.tidyCertificates({ mount, safetyMs: limits.certificateKeepMs })
        if (removed > 0) log.info('Certificates that ended long ago were forgotten', { mount, removed })
      }
      tidiedAt = clock.now()
    }
    seen = { at: clock.now(), authorities, surveys, due }
    tell(seen, lists)
    // What a step has changed has to be told at once, and may make another one due
    if (stepped) return clock.now()
    const times = [
      roots.refreshAt, lists.refreshAt, ...surveys.map(({ changesAt }) => changesAt ?? Infinity),
      ...[...due.values()].map((next) => (next && next.at > clock.now() ? next.at : Infinity)),
      ...[...authorities.values()].flat().filter(({ state }) => state === 'active')
        .map((each) => nextUrgencyAt(each, clock.now()) ?? Infinity),
    ]
    return Math.min(...times, clock.now() + limits.certificateRoundMs)
  }

  return {
    get seen() { return seen },
    get failure() { return failure },
    get leads() { return term() !== undefined },
    wake: () => wake.abort(),
    async run() {
      let failures = 0
      while (!stopping.aborted) {
        wake = new AbortController()
        let waitMs: number
        try {
          // Whatever is due again at once has another look to wait for
          waitMs = Math.max(limits.certificateRetryMsMin, await round() - clock.now())
          failures = 0
          failure = ''
        } catch (error) {
          if (stopping.aborted) return
          failure = messageOf(error)
          // At its start the link to the vault may not be up yet
          if (failures === 1) log.warn(`The certificates are not looked after: ${failure}`)
          waitMs = backoffMs(jitter, failures++, RETRY)
        }
        await pause(clock, waitMs, wake.signal)
      }
    },
  }
}

const expiryOf = (mount: string, role: string): string =>
  `certificate_expiry_seconds{mount="${mount}",role="${role.replace(/[^\w.-]/g, '_').slice(0, 64)}"}`

