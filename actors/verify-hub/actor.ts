import { actor, type ActorStart, type Serving } from '../../runtime/actor.ts'
import { Unavailable } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import { allowedBy, deniedBy, type DenialReason } from '../../runtime/trust/denial.ts'
import { pause } from '../../runtime/within.ts'
import { bootStep } from '../boot-steps.ts'
import { NODE_SEQUENCE, nodeStep } from '../node-steps.ts'
import { kv } from '../records.ts'
import { SystemConfig } from '../system-config/protocol.ts'
import { linkAllowed } from '../trust-matrix.ts'
import { Vault } from '../vault/protocol.ts'
import { listSessions, revokeSession, revokeSessions, sessionState, setPassword, unlock, whoami } from './accounts.ts'
import { announcer } from './announce.ts'
import { createAskers } from './asker.ts'
import { createAuthority } from './authority.ts'
import { burnToken } from './burn.ts'
import { checkSession } from './check.ts'
import { createEndings } from './endings.ts'
import type { Hub } from './hub.ts'
import { krpc } from './krpc.ts'
import { createLockout } from './lockout.ts'
import { loginByJwt, loginByPassword } from './login.ts'
import { createPasswords } from './password.ts'
import { VerifyHub } from './protocol.ts'
import { http } from './oauth/routes.ts'
import { logout, refresh } from './refresh.ts'
import { watchPrincipals } from './principals-watch.ts'
import { createRisk } from './risk.ts'
import { serviceToken } from './service-token.ts'
import { openSessions, type Sessions } from './sessions.ts'
import { openSigningKeys } from './signing-keys.ts'
import { createTokens, nowSeconds, selfSession } from './tokens.ts'
import { openZone } from './zone.ts'

const needs = { systemConfig: SystemConfig, vault: Vault }

export default actor(VerifyHub, { needs }, serve)

type Served = Serving<typeof VerifyHub, typeof needs>

async function serve(start: ActorStart<typeof needs>): Promise<Served> {
  const { self, denials } = start
  const { systemConfig, vault } = start.needs
  const hub = await openHub(start)
  const askers = createAskers(hub, systemConfig)
  const once = marker(start)
  const refuse = (reason: DenialReason, detail: string): Error =>
    denials.denied([deniedBy({ layer: 'link', reason, rule: 'verify-hub/first-password', detail })])
  start.background(() => sweep(hub, start))
  watchPrincipals({ start, hub, config: systemConfig, vault })

  return {
    handlers: {
      async loginByJwt({ jwt, audiences = [] }, cx) {
        const { pair, session, jti } = await loginByJwt(hub, cx, { jwt, audiences })
        const { appid, sub, sid, host } = session
        once('loginReceived', appid, { jti, sub, sid, host: host ?? '' })
        return pair
      },
      async loginByPassword({ username, password, appid, audiences = [] }, cx) {
        return (await loginByPassword(hub, cx, { username, password, appid, audiences })).pair
      },
      async refreshToken({ refreshToken }, cx) {
        const { pair, session, rotated } = await refresh(hub, cx, refreshToken)
        if (rotated) once('refreshReceived', session.appid, { sub: session.sub, sid: session.sid })
        return pair
      },
      verifyToken: ({ sessionToken, audience }, cx) => checkSession(hub, cx, sessionToken, audience),
      verifySession: ({ sid }, cx) => sessionState(hub, cx, sid),
      burn: (args, cx) => burnToken(hub, cx, args),
      whoami: (_, cx) => whoami(hub, cx, askers.of(cx)),
      listSessions: (args, cx) => listSessions(hub, askers.of(cx), args),
      revokeSession: ({ sid }, cx) => revokeSession(hub, askers.of(cx), sid),
      revokeSessions: ({ user }, cx) => revokeSessions(hub, askers.of(cx), user),
      async setPassword(args, cx) {
        await setPassword(hub, cx, askers.of(cx), args)
        return {}
      },
      async unlock({ username }, cx) {
        await unlock(hub, askers.of(cx), username)
        return {}
      },
      serviceToken: (args, cx) => serviceToken(hub, cx, args),
      logout: async ({ refreshToken }, cx) => ({ sid: await logout(hub, cx, refreshToken) }),
      krpc: krpc(hub, askers),
      http: http(hub),
      async issueFirstPassword(_, cx) {
        if (cx.peer.actor !== 'supervisor' || cx.peer.host !== self.host) {
          throw refuse('login/first-password', `${cx.peer.actor} on ${cx.peer.host}`)
        }
        const [document] = await hub.zone.read(cx.systemConfig, kv.device(self.host))
        const username = hub.zone.device(self.host, document)?.document.owner
        if (username === undefined) throw refuse('link/unknown-host', `no document names the owner of ${self.host}`)
        const password = await hub.passwords.issueFirst(cx.vault, username)
        return { username, password: password ?? '', issued: password !== undefined }
      },
    },
    lifecycle: {
      authenticate: askers.authenticate,
      admit: (peer, base) => {
        // It serves from the moment that boot/config is there
        const verdict = linkAllowed(peer, { self, phase: 'normal', roleOf: start.roleOf, base })
        if (!verdict.allowed) denials.denied([deniedBy(verdict.denial)])
        return verdict.allowed
      },
    },
  }
}

const linked = allowedBy('link', 'link/verify-hub')

/** Loads the key and what it must match. @throws VerifyHubKeyMismatch */
async function openHub(start: ActorStart<typeof needs>): Promise<Hub> {
  const { clock, random, keys, store, self, denials, env } = start
  const config = start.needs.systemConfig
  const signing = await openSigningKeys(start, start.needs.vault)
  const session = selfSession({ signing, clock, random: random.fork('self'), linkKid: self.linkKid })
  const epoch = Number(env['ZONEWRIGHT_EPOCH'] ?? 0)
  const zone = await openZone(config, { clock, keys, signing, self: session, epoch })
  start.step('boot', bootStep.verifyHubKeyLoaded, { kid: signing.current.public.kid, epoch: zone.boot.epoch })
  const sessions: Sessions = openSessions(store, () => endings.tellSoon())
  const endings = createEndings(start, sessions, announcer(config, zone))
  const lockout = createLockout({ store, clock, keys })
  return {
    clock, random: random.fork('sessions'), keys, store, zone, signing, sessions, endings, lockout,
    risk: createRisk({ start, sessions, endings, lockout }),
    authority: createAuthority({ zone, config, denials }),
    vault: start.needs.vault,
    deny: (denial) => denials.denied([linked, deniedBy(denial)]),
    tokens: createTokens({ signing, clock, random: random.fork('tokens') }),
    passwords: createPasswords({ keys, random: random.fork('passwords') }),
  }
}

/** A documented step is told once for each service: its later logins and refreshes are no part of the boot. */
function marker(start: ActorStart<typeof needs>) {
  const told = new Set<string>()
  type What = 'loginReceived' | 'refreshReceived'
  return (what: What, appid: string, evidence: Readonly<Record<string, string>>): void => {
    const isNode = appid === 'node-daemon'
    const name = `${what}/${isNode ? evidence['sub'] : appid}`
    if (told.has(name) || told.size >= limits.denials) return
    told.add(name)
    if (isNode) start.step(NODE_SEQUENCE, nodeStep[what], evidence)
    else start.step('boot', bootStep[what], { appid, ...evidence })
  }
}

/** While the store is away nothing is forgotten; whoever asks is told so by what was asked for. */
async function sweep(hub: Hub, { stopping, log }: Pick<ActorStart, 'stopping' | 'log'>): Promise<void> {
  const parts = [() => hub.sessions.sweep(nowSeconds(hub.clock)), hub.lockout.sweep, hub.risk.sweep]
  while (!stopping.aborted) {
    await pause(hub.clock, limits.sessionSweepMs, stopping)
    try {
      for (const part of parts) while (!stopping.aborted && await part() >= limits.sessionSweep) continue
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error
      log.warn(`What has ended was not forgotten: ${error.message}`)
    }
  }
}
