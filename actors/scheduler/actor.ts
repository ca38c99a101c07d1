import { messageOf } from '../../runtime/errors.ts'
import { actor } from '../../runtime/actor.ts'
import { limits } from '../../runtime/limits.ts'
import { NodeDaemon } from '../node-daemon/protocol.ts'
import { pause } from '../../runtime/within.ts'
import { kv, readRecord } from '../records.ts'
import { hasExpired, openSession } from '../session.ts'
import { BootConfig, SystemConfig } from '../system-config/protocol.ts'
import { VerifyHub } from '../verify-hub/protocol.ts'
import { askLeader, readSnapshot } from './ask.ts'
import { askedFor, builtInChanges, withChanges } from './built-in.ts'
import { lostIn, namedIn } from './hosts-in.ts'
import { askedKey, followed, mayAsk, readInputs, roundKey } from './inputs.ts'
import { createKrpc } from './krpc.ts'
import { leading, type Term } from '../leading.ts'
import { NotLeading, Scheduler } from './protocol.ts'
import { deviceReaders } from '../read-device.ts'
import { actionOf, changes, policyKey, schedule } from './schedule.ts'
import { Silence } from './silence.ts'

const APPID = 'scheduler'
const retryMs = (failures: number): number =>
  Math.min(limits.schedulerRoundMs, limits.schedulerRetryMs * 2 ** Math.min(failures, 16))

/** Undefined: the key is removed. */
type Change = readonly [key: string, text: string | undefined]
const NOTHING: ReadonlyMap<string, string> = new Map()
const named = (changes: ReadonlyMap<string, unknown>): { keys: string } => ({ keys: [...changes.keys()].join(' ') })

export default actor(Scheduler, {
  needs: { systemConfig: SystemConfig, verifyHub: VerifyHub, nodeDaemon: NodeDaemon }, stateless: true,
}, async (start) => {
  const { needs, clock, random, keys, env, log, stopping, background, step, self } = start
  const session = await openSession({
    clock, random, env, needs, appid: APPID, audiences: ['system-config'], stopping, background, step,
  })
  let wake = new AbortController()
  stopping.addEventListener('abort', () => wake.abort())

  const readDevice = deviceReaders(keys)
  const silence = new Silence()
  /** Something has no host: what hosts tell of themselves wakes nobody, and may make room. */
  let waits = false

  type Round = { revision: number; written: string[] }
  /** Done once a start: what an operator does to a service afterwards stays. */
  let ensured = false
  const roundNow = async (term: Term): Promise<Round> => {
    const { items, revision } = await readInputs(needs.systemConfig, session.token)
    const config = new Map(items.map(({ key, value }) => [key, value]))
    const boot = readRecord(BootConfig, kv.bootConfig, config.get(kv.bootConfig) ?? '')
    const builtIn = ensured ? NOTHING : builtInChanges(config, askedFor(env))
    const next = withChanges(config, builtIn)
    const warn = ({ message }: Error): void => log.warn(message)
    const gone = silence.look(lostIn(next, () => {}), namedIn(next), clock.monotonic())
    const derived = schedule(next, readDevice(boot), warn, gone)
    waits = [...derived].some(([key, text]) => key.startsWith('services/') && text.includes('"missing":'))
    const wanted: readonly Change[] = [...builtIn, ...changes(config, derived)]
    const write = async (guard: string, changed: readonly Change[]): Promise<void> => {
      if (changed.length === 0) return
      const last = items.find(({ key }) => key === guard)?.revision ?? 0
      const actions = Object.fromEntries(changed.map(([key, value]) =>
        [key, value === undefined ? { action: 'remove' as const } : actionOf(config, key, value)]))
      const mainKey = { key: guard, revision: last }
      const written = await term.write({ actions, mainKey })
      done.revision = written.revision
      done.written.push(...changed.map(([key]) => key).filter((key) => key !== roundKey))
    }
    const done: Round = { revision, written: [] }
    // The policy holds lines of others: it is guarded by what was read of it, so that none of them is lost
    await write(policyKey, wanted.filter(([key]) => key === policyKey))
    const rest = wanted.filter(([key]) => key !== policyKey)
    // Beside the round's own key, and the fence of the term
    const some = rest.slice(0, limits.transactionOperations - 2)
    const before = readSnapshot(config.get(roundKey)).asked ?? 0
    const asked = items.find(({ key }) => key === askedKey)?.revision ?? 0
    const isWhole = some.length === rest.length
    if (some.length > 0 || asked !== before) {
      const snapshot = JSON.stringify({ from: revision, asked: isWhole ? asked : before })
      await write(roundKey, [...some, [roundKey, snapshot]])
    }
    if (builtIn.size > 0) log.info('Services that ship with Zonewright were brought up to date', named(builtIn))
    ensured = true
    if (isWhole) return done
    const more = await roundNow(term)
    return { revision: more.revision, written: [...done.written, ...more.written] }
  }
  let rounds: Promise<unknown> = Promise.resolve()
  /** One at a time: two rounds of one scheduler would only overtake each other. */
  const roundBy = (term: Term): Promise<Round> => {
    const next = rounds.then(() => roundNow(term))
    rounds = next.catch(() => {})
    return next
  }
  const round = async (): Promise<Round> => {
    await led.heard
    if (led.term) return roundBy(led.term)
    throw new NotLeading(`The scheduler of ${led.leader.host || 'no host'} leads`, { ...led.leader })
  }
  /** By whoever leads: an operator comes to any host. */
  const roundAnywhere = async (): Promise<{ readonly revision: number }> => {
    await led.heard
    if (led.term) return roundBy(led.term)
    return askLeader({ clock, stopping, self, session, systemConfig: needs.systemConfig }, led.leader)
  }
  const led = leading({
    start, systemConfig: needs.systemConfig, session, name: APPID,
    async body(term) {
      term.signal.addEventListener('abort', () => wake.abort())
      let failures = 0
      while (!term.signal.aborted) {
        wake = new AbortController()
        failures = await roundBy(term).then(() => 0, (error: Error) => {
          if (!term.signal.aborted) log.warn(`A round of the scheduler failed: ${error.message}`)
          return failures + 1
        })
        // What changes together, as when many hosts join, is for one round: each reads all that there is
        if (failures === 0) await pause(clock, limits.schedulerGatherMs, term.signal)
        if (term.signal.aborted) return
        const roundMs = waits ? limits.reportMs : limits.schedulerRoundMs
        const nextMs = Math.min(roundMs, silence.nextMs(clock.monotonic()) ?? Infinity)
        await pause(clock, failures === 0 ? nextMs : retryMs(failures), wake.signal)
      }
    },
  })
  for (const { prefix, leaves } of followed) background(() => follow(prefix, leaves && [...leaves]))

  /** A change of input wakes the loop; the loop itself decides whether anything follows from it. */
  async function follow(prefix: string, leaves: string[] | undefined): Promise<void> {
    let after = 0
    let failures = 0
    const scope = { prefix, ...(leaves ? { leaves } : {}) }
    while (!stopping.aborted) {
      try {
        if (after === 0) {
          after = (await needs.systemConfig.dump({ prefixes: [kv.bootConfig] }, { token: session.token() })).revision
          // What happened before that is not known
          if (failures > 0) wake.abort()
        }
        const settings = { token: session.token(), signal: stopping }
        for await (const event of needs.systemConfig.watch({ ...scope, after }, settings)) {
          after = event.revision
          failures = 0
          if (mayAsk(event.key)) wake.abort()
        }
      } catch (error) {
        if (stopping.aborted) return
        // After the end of a token the next watch goes on where this one stopped
        if (!hasExpired(error)) {
          log.warn(`The watch of ${prefix} ended: ${messageOf(error)}`)
          after = 0
          failures++
        }
      }
      await pause(clock, retryMs(failures), stopping)
    }
  }

  const { krpc, authenticate } = createKrpc(start, session, roundAnywhere)
  return {
    handlers: { round, krpc },
    lifecycle: {
      authenticate,
      stop: led.stop,
      admit: (peer) => peer.host === self.host && ['supervisor', 'node-daemon', 'gateway'].includes(peer.actor),
    },
  }
})
