import { actor } from '../../runtime/actor.ts'
import { StartFailed } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import { Supervision } from '../../runtime/supervision.ts'
import { pause } from '../../runtime/within.ts'
import { kv, readRecord, ServiceSpec } from '../records.ts'
import { hasExpired, loginTokenName } from '../session.ts'
import { SystemConfig } from '../system-config/protocol.ts'
import { difference, readWanted, type Read } from './converge.ts'
import { deviceTokens } from './device-tokens.ts'
import { NodeDaemon } from './protocol.ts'

/**
 * The OOD's daemon (seed: OOD, LOGIN_TYPE self): reads its node config by a session that the device key signs, and
 * drives services to it, each with a login token in its ENV.
 */
export default actor(NodeDaemon, {
  needs: { supervision: Supervision, systemConfig: SystemConfig }, stateless: true,
}, (start) => {
  const { needs, clock, random, keys, env, secrets, log, stopping, background, self, denials } = start
  const epoch = env['ZONEWRIGHT_EPOCH'] ?? '0'
  const pem = secrets['device-key']
  if (pem === undefined) throw new StartFailed('The node daemon was not given the device key')
  const tokens = deviceTokens({
    key: keys.importPem(pem), host: self.host, linkKid: self.linkKid, epoch: Number(epoch), clock, random,
  })
  const read: Read = (key) => needs.systemConfig.get({ key }, { token: tokens.session() })

  /** verify-hub logs in to nobody: it issues its own session. */
  const envOf = (spec: ServiceSpec): Record<string, string> =>
    spec.name === 'verify-hub' ? { ZONEWRIGHT_EPOCH: epoch } : { [loginTokenName(spec.appid)]: tokens.login(spec) }

  let running: Promise<{ revision: number; started: string[]; stopped: string[] }> | undefined
  /** One at a time; who asks meanwhile gets the result of the next. */
  const converge = async (): Promise<{ revision: number; started: string[]; stopped: string[] }> => {
    while (running) await running.catch(() => {})
    running = convergeNow().finally(() => { running = undefined })
    return running
  }
  const convergeNow = async () => {
    const wanted = await readWanted(self.host, read)
    const { start: toStart, stop: toStop } = difference(wanted, await needs.supervision.list({}))
    for (const name of toStop) await needs.supervision.stop({ name })
    if (toStart.length > 0) {
      const actors = toStart.map((name) => ({ name, env: envOf(wanted.specs.get(name)!) }))
      // Longer than one start may take, so that what is told is which actor did not start
      await needs.supervision.start({ actors }, { withinMs: 2 * limits.startMs })
    }
    return { revision: wanted.revision, started: [...toStart], stopped: [...toStop] }
  }

  const say = (what: string, error: unknown): void => {
    if (!stopping.aborted) log.warn(`${what} failed: ${error instanceof Error ? error.message : String(error)}`)
  }
  const follow = async (after: number): Promise<void> => {
    const settings = { token: tokens.session(), signal: stopping }
    for await (const event of needs.systemConfig.watch({ prefix: kv.node(self.host), after }, settings)) {
      seen = event.revision
      await converge().catch((error: unknown) => say('Converging', error))
    }
  }
  /** 0: what happened since is not known. */
  let seen = 0
  background(async () => {
    for (let first = true; !stopping.aborted; first = false) {
      try {
        if (seen === 0) {
          seen = (await read(kv.node(self.host)))?.revision ?? 0
          // Whoever starts this daemon asks for the first one
          if (!first) await converge().catch((error: unknown) => say('Converging', error))
        }
        await follow(seen)
      } catch (error) {
        // After the end of a token the next watch goes on where this one stopped
        if (!hasExpired(error)) {
          say('Following the node config', error)
          seen = 0
        }
      }
      await pause(clock, limits.convergeRetryMs, stopping)
    }
  })

  return {
    handlers: {
      async loginToken(_, { peer }) {
        const item = await read(kv.spec(peer.actor))
        if (peer.host !== self.host || !item) {
          throw denials.denied([{ layer: 'link', verdict: 'denied', rule: 'node-daemon/login-token', reason: 'login/app', detail: peer.actor }])
        }
        return { jwt: tokens.login(readRecord(ServiceSpec, kv.spec(peer.actor), item.value)) }
      },
      async services() {
        const states = await needs.supervision.list({})
        return states.map(({ name, state, incarnation, reason }) => ({
          name, incarnation, reason,
          state: state === 'restarting' || state === 'starting' ? 'starting' as const
            : state === 'serving' || state === 'failed' ? state : 'stopped' as const,
        }))
      },
      converge,
    },
    // No `authenticate`: callers are known by their link certificate, and every token is denied
    lifecycle: { admit: (peer) => peer.host === self.host },
  }
})
