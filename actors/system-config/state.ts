import type { ActorStart } from '../../runtime/actor.ts'
import { ZonewrightError } from '../../runtime/errors.ts'
import { mayCrash } from '../../runtime/fault-points.ts'
import { kv } from '../records.ts'
import { createAccess, type Access } from '../rbac/access.ts'
import type { Rules } from '../rbac/model.ts'
import { readEnvironment } from './environment.ts'
import { createPermission, MODEL_KEY, POLICY_KEY, type Permission } from './permission.ts'
import { openTrust, type Trust } from './phase.ts'
import { openRecords, type Guard, type Records } from './records.ts'
import { createSessions, type Session, type Sessions } from './sessions.ts'
import { createSteps, type Steps } from './steps.ts'
import { execute, type KvAction } from './transaction.ts'
import { follow } from './watch.ts'

/** What the handlers share. */
export interface State {
  readonly records: Records
  readonly trust: Trust
  readonly sessions: Sessions
  readonly permission: Permission
  readonly access: Access
  readonly steps: Steps
  /** Runs a transaction that was permitted; what this actor reads of it is in force before the writer is answered. */
  transact(session: Session, actions: ReadonlyMap<string, KvAction>, mainKey: Guard | undefined): Promise<number>
}

/** @throws StartFailed, ZoneStoreMismatch, RecordInvalid */
export async function openState(start: ActorStart): Promise<State> {
  const { stopping } = start
  const environment = readEnvironment(start)
  const steps = createSteps(start)
  steps.trustKeyReceived(environment.device)
  const records = openRecords(start.store)
  const trust = await openTrust(start, records, environment)
  const access = createAccess()
  const sessions = createSessions(start, trust)
  const storedRules = rulesIn(records)
  const permission = createPermission(start, { sessions, trust, access, environment, storedRules })
  const reloadPolicy = policyReader(start, storedRules, access)
  const { reloadTrust, boot, booting } = bootPhase(records, trust, steps)

  if (trust.phase === 'normal') steps.normalPhase(trust, false)
  await reloadPolicy()
  // Another OOD may write them as well
  start.background(() => follow(records, kv.bootConfig, stopping, async () => {
    if (!booting()) await reloadTrust()
  }))
  for (const key of [MODEL_KEY, POLICY_KEY]) start.background(() => follow(records, key, stopping, reloadPolicy))

  return {
    records, trust, sessions, permission, access, steps,
    async transact(session, actions, mainKey) {
      const write = trust.phase === 'boot' ? boot(session, actions, mainKey) : execute(records, actions, mainKey)
      const revision = await write
      mayCrash('system-config/written')
      if (actions.has(kv.bootConfig)) await reloadTrust()
      if (actions.has(POLICY_KEY) || actions.has(MODEL_KEY)) await reloadPolicy()
      return revision
    },
  }
}

function bootPhase(records: Records, trust: Trust, steps: Steps) {
  let running = 0
  const reloadTrust = async (): Promise<void> => {
    if (await trust.reload()) steps.normalPhase(trust, true)
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
function policyReader({ log }: ActorStart, stored: () => Promise<Rules>, access: Access): () => Promise<void> {
  const read = async (): Promise<void> => {
    const rules = await stored()
    const { model, policy } = access.rules
    if (rules.model === model && rules.policy === policy) return
    try {
      await access.replace(rules)
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
