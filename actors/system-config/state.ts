import type { ActorStart } from '../../runtime/actor.ts'
import { Denied, ZonewrightError } from '../../runtime/errors.ts'
import { mayCrash } from '../../runtime/fault-points.ts'
import { denialReasons, type DenialReason } from '../../runtime/trust/denial.ts'
import { kv } from '../records.ts'
import { createAccess, type Access } from '../rbac/access.ts'
import type { Rules } from '../rbac/model.ts'
import { readEnvironment } from './environment.ts'
import { createEnforcers, type Enforcers } from './enforcers.ts'
import { createLeaders, type Leaders } from './leaders.ts'
import { createPermission, MODEL_KEY, POLICY_KEY, type Permission } from './permission.ts'
import { openTrust, type Trust } from './phase.ts'
import type { Revoked } from './protocol.ts'
import { openRecords, type Guard, type Records } from './records.ts'
import { createRegistration } from './registration.ts'
import { openRevocations } from './revocations.ts'
import { createSessions, type Session, type Sessions } from './sessions.ts'
import { newsOperation, type News } from './shared/news.ts'
import { createShared, type Shared } from './shared/shared.ts'
import { createSteps, type Steps } from './steps.ts'
import { execute, type BoundTo, type KvAction } from './transaction.ts'
import { follow } from './watch.ts'

/** What the handlers share. */
export interface State {
  readonly records: Records
  readonly trust: Trust
  readonly sessions: Sessions
  readonly permission: Permission
  readonly access: Access
  readonly steps: Steps
  readonly enforcers: Enforcers
  readonly leaders: Leaders
  readonly shared: Shared
  /**
   * Runs a transaction that was permitted. What decides who is trusted, and who may do what, is in force before
   * the writer is answered: here, and wherever it is enforced.
   */
  transact(
    session: Session, actions: ReadonlyMap<string, KvAction>, mainKey: Guard | undefined, fence?: BoundTo,
  ): Promise<number>
  /** Settles when these sessions are refused here and wherever tokens are judged. */
  revoke(sessions: readonly Revoked[]): Promise<void>
}

/** @throws StartFailed, ZoneStoreMismatch, RecordInvalid */
export async function openState(start: ActorStart): Promise<State> {
  const { stopping, clock, store } = start
  const environment = readEnvironment(start)
  const steps = createSteps(start)
  steps.trustKeyReceived(environment.device)
  const records = openRecords(start.store)
  const trust = await openTrust(start, records, environment)
  const access = createAccess()
  const revocations = await openRevocations({ store, clock }, (sessions) => {
    const ended = new Set(sessions.map(({ sid }) => sid))
    start.unbind(({ sid }) => sid !== undefined && ended.has(sid), sessionEnded())
    enforcers.publishRevoked(sessions)
  })
  const enforcers = createEnforcers({
    clock,
    random: start.random.fork('enforcers'),
    revoked: revocations.all,
    mayGrant: () => shared.mayGrant(), changedAtMs: () => shared.changedAtMs(),
    leasesBefore: trust.phase === 'normal' && !environment.alone,
  })
  const sessions = createSessions({ start, trust, records, revocations, fresh: () => shared.fresh() })
  const storedRules = rulesIn(records)
  const permission = createPermission(start, {
    sessions, trust, access, environment, storedRules,
    registration: createRegistration(start, { environment, records }),
  })
  const reloadPolicy = policyReader(start, storedRules, async (rules) => {
    await access.replace(rules)
    enforcers.publish({ rbac: rules })
  })
  const { reloadTrust, boot, booting } = bootPhase(records, trust, steps, (text) => enforcers.publish({ boot: text }))
  const reload = async (news: Pick<News, 'boot' | 'rbac'>): Promise<void> => {
    if (news.boot && !booting()) await reloadTrust()
    if (news.rbac) await reloadPolicy()
  }
  const shared = createShared({
    start, isActive: () => trust.phase === 'normal', settled: enforcers.settled,
    async apply(news) {
      revocations.learn(news.revoked)
      await reload(news)
    },
    async applyAll() {
      await Promise.all([revocations.reload(), reload({ boot: true, rbac: true })])
    },
  })

  enforcers.publish({ boot: trust.text })
  if (trust.phase === 'normal') steps.normalPhase(trust, false)
  await reloadPolicy()
  // Another OOD may write them as well
  start.background(() => follow(records, kv.bootConfig, stopping, async () => {
    if (!booting()) await reloadTrust()
  }))
  for (const key of [MODEL_KEY, POLICY_KEY]) start.background(() => follow(records, key, stopping, reloadPolicy))
  start.background(() => revocations.follow(stopping))
  start.background(() => shared.run())

  return {
    records, trust, sessions, permission, access, steps, enforcers, leaders: createLeaders(start), shared,
    async transact(session, actions, mainKey, fence) {
      const news = {
        boot: actions.has(kv.bootConfig), rbac: actions.has(POLICY_KEY) || actions.has(MODEL_KEY),
      }
      const isNews = news.boot || news.rbac
      const beside = isNews && shared.isShared ? [newsOperation(news)] : []
      const write = trust.phase === 'boot' ? boot(session, actions, mainKey)
        : execute(records, actions, mainKey, { fence, beside })
      const revision = await write
      const others = isNews ? shared.acknowledged(revision, clock.monotonic()) : undefined
      mayCrash('system-config/written')
      if (news.boot) await reloadTrust()
      if (news.rbac) await reloadPolicy()
      if (isNews) await Promise.all([enforcers.settled(), others])
      return revision
    },
    async revoke(revoked) {
      const revision = await revocations.add(revoked, shared.isShared ? [newsOperation({ revoked: [...revoked] })] : [])
      await Promise.all([enforcers.settled(), shared.acknowledged(revision, clock.monotonic())])
    },
  }
}

const sessionEnded = (): ZonewrightError =>
  new Denied(denialReasons['token/revoked'], { reason: 'token/revoked' satisfies DenialReason })

function bootPhase(records: Records, trust: Trust, steps: Steps, publish: (text: string) => void) {
  let running = 0
  const reloadTrust = async (): Promise<void> => {
    const left = await trust.reload()
    publish(trust.text)
    if (left) steps.normalPhase(trust, true)
  }
  return {
    reloadTrust,
    booting: (): boolean => running > 0,
    /** Told in the order it happened: the write, then the end of boot phase, then the answer. */
    async boot(session: Session, actions: ReadonlyMap<string, KvAction>, mainKey: Guard | undefined): Promise<number> {
      running++
      try {
        const revision = await execute(records, actions, mainKey)
        steps.firstWrite(session, revision, actions.size)
        await reloadTrust()
        return revision
      } finally {
        // Who lost the race leaves boot phase as well, but not before the winner has
        if (--running === 0) await reloadTrust()
      }
    },
  }
}

const rulesIn = (records: Records) => async (): Promise<Rules> => {
  const [model, policy] = await Promise.all([records.get(MODEL_KEY), records.get(POLICY_KEY)])
  return { model: model?.value ?? '', policy: policy?.value ?? '' }
}

/** One reading after the other: the last one sees what was written last. */
function policyReader(
  { log }: ActorStart, stored: () => Promise<Rules>, use: (rules: Rules) => Promise<void>,
): () => Promise<void> {
  let inForce: Rules = { model: '', policy: '' }
  const read = async (): Promise<void> => {
    const rules = await stored()
    if (rules.model === inForce.model && rules.policy === inForce.policy) return
    try {
      await use(rules)
      inForce = rules
    } catch (error) {
      if (!(error instanceof ZonewrightError)) throw error
      log.error('The access policy is damaged; the one before stays', { code: error.code, reason: error.message })
    }
  }
  let reading: Promise<void> = Promise.resolve()
  return () => {
    const next = reading.then(read)
    reading = next.catch(() => {})
    return next
  }
}
