import type { ActorStart, Handlers, Lifecycle } from '../../runtime/actor.ts'
import { messageOf, StartFailed } from '../../runtime/errors.ts'
import { lastingClock } from '../../runtime/lasting.ts'
import { limits } from '../../runtime/limits.ts'
import { Supervision } from '../../runtime/supervision.ts'
import { deniedBy } from '../../runtime/trust/denial.ts'
import { pause } from '../../runtime/within.ts'
import { kv, readRecord, ServiceSpec } from '../records.ts'
import { hasExpired } from '../session.ts'
import { SystemConfig } from '../system-config/protocol.ts'
import { forEnrolment } from './enrolment.ts'
import type { Read } from './converge.ts'
import { loginToken, type DeviceSigner } from './device-tokens.ts'
import { Fence } from './fence.ts'
import { meansIn } from './means.ts'
import { DEVICES, tellingHosts } from './hosts.ts'
import type { NodeDaemon } from './protocol.ts'
import { createReports } from './reports.ts'
import { createServices, type Converged } from './services.ts'

/** What the daemon of every host needs. */
export const daemonNeeds = { supervision: Supervision, systemConfig: SystemConfig } as const
type Needs = typeof daemonNeeds

/** What an OOD and a node do differently. */
export interface DaemonRole {
  readonly signer: DeviceSigner
  /** The token by which this host reads `kv://` now. @throws while there is none */
  token(): string | Promise<string>
  /** Where its device stands for the key that registers hosts. */
  readonly certifies?: true
  readonly krpc: Handlers<typeof NodeDaemon, Needs>['krpc']
  readonly krpcStream: Handlers<typeof NodeDaemon, Needs>['krpcStream']
  readonly authenticate?: Lifecycle['authenticate']
}

/** The device key and the epoch, from ENV and secrets. @throws StartFailed */
export function deviceSigner({ keys, env, secrets, self, clock, random }: ActorStart<Needs>): DeviceSigner {
  const pem = secrets['device-key']
  if (pem === undefined) throw new StartFailed('The node daemon was not given the device key')
  return { key: keys.importPem(pem), host: self.host, epoch: Number(env['ZONEWRIGHT_EPOCH'] ?? 0), clock, random }
}

/**
 * What the daemon of an OOD and of a node share: reads the config of its host and drives services to it, each with a
 * login token in its ENV; follows which hosts there are, and tells the supervisor.
 */
export function createDaemon(
  start: ActorStart<Needs>, { signer, token, certifies, krpc, krpcStream, authenticate }: DaemonRole,
): { handlers: Handlers<typeof NodeDaemon, Needs>; lifecycle: Lifecycle } {
  const { needs, log, stopping, background, self, denials } = start
  /** Also for how long this host may run what it runs. */
  const clock = lastingClock(start.clock)
  const read: Read = async (key) => needs.systemConfig.get({ key }, { token: await token() })
  const services = createServices({
    host: self.host, supervision: needs.supervision, read, login: (spec) => loginToken(signer, spec),
    epoch: String(signer.epoch), zone: self.zone, device: start.env['BUCKYOS_THIS_DEVICE'], clock,
    warn: (message) => { if (!stopping.aborted) log.warn(message) }, wake: () => wake.abort(),
    onTold({ config: { report }, lost }, askedMs) {
      reports.wanted(report)
      fence.saw({ lost, report }, askedMs)
    },
    ood: self.runtimeType === 'ood',
    // Made from this one
    get fence() { return fence },
  })
  const fence = new Fence({
    clock, stopping, look: services.look, close: services.close, opened: () => wake.abort(),
    warn: (message) => { if (!stopping.aborted) log.warn(message) },
  })
  background(() => fence.run())
  const reports = createReports({
    host: self.host, incarnation: self.incarnation, means: meansIn(start.env), clock, stopping,
    machine: () => needs.supervision.machine({}),
    actors: () => needs.supervision.list({}),
    write: async (key, value) => void await needs.systemConfig.set({ key, value }, { token: await token() }),
    warn: (message) => { if (!stopping.aborted) log.warn(message) },
  })
  background(() => reports.run())
  const hosts = tellingHosts({ systemConfig: needs.systemConfig, supervision: needs.supervision, token })
  const converge = async (): Promise<Converged> => {
    const [converged] = await Promise.all([services.converge(), hosts.tell()])
    if (converged.started.length + converged.stopped.length > 0) {
      reports.changed()
      // Programs are on their way, and whoever waits for them elsewhere hears of it by a report
      void services.settled().then(reports.changed)
    }
    return converged
  }

  let wake = new AbortController()
  stopping.addEventListener('abort', () => wake.abort())
  const say = (what: string, error: unknown): void => {
    if (!stopping.aborted) log.warn(`${what} failed: ${messageOf(error)}`)
  }
  const retryMs = (failures: number): number =>
    Math.min(limits.convergeRoundMs, limits.convergeRetryMs * 2 ** Math.min(failures, 16))

  background(async () => {
    // Whoever starts this host asks for the first round; this one is for a daemon that came back
    await pause(clock, limits.convergeRetryMs, stopping)
    let failures = 0
    while (!stopping.aborted) {
      wake = new AbortController()
      failures = await converge().then(() => 0, (error: unknown) => {
        say('Converging', error)
        return failures + 1
      })
      await pause(clock, failures === 0 ? limits.convergeRoundMs : retryMs(failures), wake.signal)
    }
  })

  /** A change wakes the rounds; they decide whether anything follows from it. */
  const follow = async (scope: { readonly prefix: string; readonly leaves?: string[] }): Promise<void> => {
    const { prefix } = scope
    // 0: what happened since is not known
    let seen = 0
    let failures = 0
    while (!stopping.aborted) {
      try {
        if (seen === 0) {
          if (scope === DEVICES) hosts.lost()
          // For the revision alone: the round reads what there is
          seen = (await needs.systemConfig.dump({ prefixes: [kv.node(self.host)] }, { token: await token() })).revision
          wake.abort()
        }
        const settings = { token: await token(), signal: stopping }
        for await (const event of needs.systemConfig.watch({ ...scope, after: seen }, settings)) {
          seen = event.revision
          failures = 0
          if (scope === DEVICES) hosts.saw(event)
          wake.abort()
        }
      } catch (error) {
        // After the end of a token the next watch goes on where this one stopped
        if (!hasExpired(error)) {
          say(`Following ${prefix}`, error)
          seen = 0
          failures++
        }
      }
      await pause(clock, retryMs(failures), stopping)
    }
  }
  for (const scope of [{ prefix: kv.node(self.host) }, DEVICES]) background(() => follow(scope))

  return {
    handlers: {
      async loginToken(_, { peer }) {
        const item = await read(kv.spec(peer.actor))
        if (peer.host !== self.host || !item) {
          const detail = `${peer.actor} on ${peer.host}`
          const rule = 'node-daemon/login-token'
          throw denials.denied([deniedBy({ layer: 'link', reason: 'login/app', rule, detail })])
        }
        return { jwt: loginToken(signer, readRecord(ServiceSpec, kv.spec(peer.actor), item.value)) }
      },
      async environment({ name }, { peer }) {
        if (peer.host !== self.host || peer.actor !== 'supervisor') {
          const detail = `${peer.actor} on ${peer.host}`
          const rule = 'node-daemon/environment'
          throw denials.denied([deniedBy({ layer: 'link', reason: 'link/not-admitted', rule, detail })])
        }
        return services.environment(name)
      },
      ...forEnrolment(start, certifies && signer),
      async services() {
        const states = await needs.supervision.list({})
        return states.map(({ name, state, incarnation, reason }) => ({
          name, incarnation, reason,
          state: state === 'restarting' || state === 'starting' ? 'starting' as const
            : state === 'serving' || state === 'failed' ? state : 'stopped' as const,
        }))
      },
      async converge({ withoutPrograms = false }) {
        const converged = await converge()
        if (!withoutPrograms) await services.settled()
        return converged
      },
      krpc,
      krpcStream,
    },
    // Tokens are for an operator's methods; who calls the others is known by their link certificate
    lifecycle: { ...(authenticate ? { authenticate } : {}), admit: (peer) => peer.host === self.host },
  }
}
