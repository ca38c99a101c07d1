import { actor } from '../../runtime/actor.ts'
import { messageOf, StartFailed } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import { Supervision } from '../../runtime/supervision.ts'
import { deniedBy } from '../../runtime/trust/denial.ts'
import { pause } from '../../runtime/within.ts'
import { answering, streaming } from '../krpc.ts'
import { kv, readRecord, ServiceSpec } from '../records.ts'
import { hasExpired } from '../session.ts'
import { SystemConfig } from '../system-config/protocol.ts'
import type { Read } from './converge.ts'
import { deviceTokens } from './device-tokens.ts'
import { NodeDaemon } from './protocol.ts'
import { createServices } from './services.ts'

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

  const { converge } = createServices({
    host: self.host, supervision: needs.supervision, read, login: tokens.login, epoch,
  })

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
  /** A change of the config wakes the rounds; they decide whether anything follows from it. */
  background(async () => {
    // 0: what happened since is not known
    let seen = 0
    let failures = 0
    while (!stopping.aborted) {
      try {
        if (seen === 0) {
          seen = (await read(kv.node(self.host)))?.revision ?? 0
          wake.abort()
        }
        const settings = { token: tokens.session(), signal: stopping }
        for await (const event of needs.systemConfig.watch({ prefix: kv.node(self.host), after: seen }, settings)) {
          seen = event.revision
          failures = 0
          wake.abort()
        }
      } catch (error) {
        // After the end of a token the next watch goes on where this one stopped
        if (!hasExpired(error)) {
          say('Following the node config', error)
          seen = 0
          failures++
        }
      }
      await pause(clock, retryMs(failures), stopping)
    }
  })

  return {
    handlers: {
      async loginToken(_, { peer }) {
        const item = await read(kv.spec(peer.actor))
        if (peer.host !== self.host || !item) {
          const detail = `${peer.actor} on ${peer.host}`
          const rule = 'node-daemon/login-token'
          throw denials.denied([deniedBy({ layer: 'link', reason: 'login/app', rule, detail })])
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
      krpc: answering({}),
      krpcStream: streaming({}),
    },
    // No `authenticate`: callers are known by their link certificate, and every token is denied
    lifecycle: { admit: (peer) => peer.host === self.host },
  }
})
