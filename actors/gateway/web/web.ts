import type { Evidence } from '../../../runtime/actor.ts'
import { messageOf, Overloaded, Unavailable } from '../../../runtime/errors.ts'
import type {
  Clock, HttpRequest, HttpResponse, Keys, Random, Transport,
} from '../../../runtime/platform/ports.ts'
import { limits } from '../../../runtime/limits.ts'
import type { Client } from '../../../runtime/protocol.ts'
import type { Enrolment } from '../../enrolment/protocol.ts'
import type { Enforcer } from '../../enforcement/enforcer.ts'
import type { SystemConfig } from '../../system-config/protocol.ts'
import type { VerifyHub } from '../../verify-hub/protocol.ts'
import { text } from '../responses.ts'
import { findingApps } from './apps.ts'
import { createCodes } from './codes.ts'
import { createForward } from './forward.ts'
import { hubDoor, type Pair } from './hub.ts'
import { createOrigins } from './origins.ts'
import { createPages } from './pages.ts'
import { createAppSessions, judgeOf, serviceTokens, type WayTo } from './session.ts'
import { createSignIn } from './sign-in.ts'
import { createMark } from './steps.ts'

export interface WebOptions {
  readonly zone: string
  readonly host: string
  readonly clock: Clock
  readonly random: Random
  readonly keys: Keys
  readonly transport: Transport
  readonly needs: {
    readonly systemConfig: Client<typeof SystemConfig>
    readonly verifyHub: Client<typeof VerifyHub>
    readonly enrolment: Pick<Client<typeof Enrolment>, 'way'>
  }
  /** By row `gateway` of the trust matrix. */
  readonly enforcer: Pick<Enforcer, 'judge'>
  /** The gateway's own session. */
  readonly token: () => string
  readonly ownPort: () => number
  readonly warn: (message: string) => void
  step(sequence: string, number: number, evidence: Evidence): void
}

export interface Web {
  /** Undefined: what is at the zone's own host and no part of the sign-in. */
  answer(request: HttpRequest): Promise<HttpResponse> | undefined
  /** For counting. */
  routeOf(request: HttpRequest): 'app' | 'sign-in' | undefined
  close(): void
}

/** What browsers come for: the sign-in at the zone's own host, and the apps at theirs. */
export function createWeb(options: WebOptions): Web {
  const { zone, host, clock, random, keys, transport, needs, token, ownPort, warn, step } = options
  const origins = createOrigins(zone)
  const hub = hubDoor(needs.verifyHub)
  const abandon = ({ refresh_token: refreshToken }: Pair): void =>
    void hub.logout(refreshToken).catch((error: unknown) => warn(`A sign-in was not ended: ${messageOf(error)}`))
  const codes = createCodes({ clock, random: random.fork('codes'), keys, abandoned: ({ pair }) => abandon(pair) })
  const findApp = findingApps({ host, systemConfig: needs.systemConfig, token, ownPort })
  const pages = createPages({ zone, keys })
  const mark = createMark(step)
  const signIn = createSignIn({ keys, random: random.fork('forms'), origins, findApp, hub, codes, pages, mark })
  const sessions = createAppSessions({
    host, clock, keys, random: random.fork('states'), findApp, judge: judgeOf(options.enforcer),
    serviceToken: serviceTokens(needs.verifyHub, clock), hub, codes, pages,
    forward: createForward({ transport, clock, warn, mark }), wayTo: waysBy(needs.enrolment), mark, abandon,
  })

  const placeOf = (request: HttpRequest) => {
    const scheme = origins.schemeOf(request)
    return { ...origins.placeOf(request.headers['host'], scheme), scheme }
  }
  return {
    answer(request) {
      const place = placeOf(request)
      if (place.kind === 'app') return sessions.answer(request, place)
      const { method, path } = request
      const known = Object.hasOwn(paths, path) ? paths[path] : undefined
      if (place.kind === 'unknown') return known || path === '/' ? misdirected() : undefined
      if (known === undefined) return undefined
      if (place.origin === undefined) return misdirected()
      if (!known.split(', ').includes(method)) {
        return Promise.resolve(text(405, `Only ${known} is answered here\n`, { allow: known }))
      }
      const own = { origin: place.origin, port: place.port, scheme: place.scheme }
      return path === '/login' ? signIn.page(request, own) : signIn.submit(request, own)
    },
    routeOf(request) {
      if (placeOf(request).kind === 'app') return 'app'
      return Object.hasOwn(paths, request.path) ? 'sign-in' : undefined
    },
    close: () => codes.close(),
  }
}

/** No host can be reached where hosts do not join, or none that has is connected. */
const waysBy = (enrolment: WebOptions['needs']['enrolment']): WayTo => async (app) => {
  try {
    return (await enrolment.way(app, { withinMs: limits.gatewayCallMs })).socket
  } catch (error) {
    if (error instanceof Unavailable || error instanceof Overloaded) return undefined
    throw error
  }
}

/** At the zone's own host, with the methods that are answered. */
const paths: Readonly<Record<string, string>> = { '/login': 'GET, HEAD', '/sso/login': 'POST' }

/** RFC 9110 §15.5.20. */
const misdirected = async (): Promise<HttpResponse> => text(421, 'This gateway has no such name\n')
