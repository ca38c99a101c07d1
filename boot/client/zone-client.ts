import { Unavailable } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import type { Platform } from '../../runtime/platform/ports.ts'
import { ZoneNotRunning } from '../errors.ts'
import type { Terminal } from '../terminal.ts'
import { krpcCall, krpcStream, type KrpcPort, type KrpcRequest, type KrpcService } from './krpc.ts'
import { DEFAULT_DIR, locate, type Located, type Where } from './locate.ts'
import { openSessionFile } from './session-file.ts'
import { isStale, openSession, type Session } from './session.ts'

export interface ClientOptions extends Where {
  readonly user?: string
  readonly session?: string
}

interface CallOptions {
  readonly withinMs?: number
  readonly signal?: AbortSignal
  /** Instead of the session's. */
  readonly token?: string
}

/** A running zone, as the command line reaches it: found anew when it moves, and spoken to by a person's session. */
export interface ZoneClient {
  readonly platform: Platform
  readonly session: Session
  readonly located: Located
  /** Finds it again: after a restart it may listen elsewhere. @throws ZoneNotRunning */
  relocate(): Promise<Located>
  /** @throws what the zone answered, NotLoggedIn, ZoneNotRunning */
  call(service: KrpcService, method: string, params: object, options?: CallOptions): Promise<unknown>
  /** One connection. */
  stream(service: KrpcService, method: string, params: object, signal: AbortSignal): AsyncIterable<unknown>
  /** An open page of it: the status of the answer. */
  statusOf(path: string): Promise<number>
}

/** @throws ZoneNotRunning, Usage */
export async function openZoneClient(
  terminal: Terminal, platform: Platform, options: ClientOptions,
): Promise<ZoneClient> {
  let located = await locate(terminal, options)
  const port = (): KrpcPort =>
    ({ transport: platform.transport, clock: platform.clock, hostname: located.hostname, port: located.port })
  const relocate = async (): Promise<Located> => {
    located = await locate(terminal, options)
    return located
  }
  const unreachable = (error: unknown): Error => new ZoneNotRunning(`The zone does not answer at ${located.url}`, {
    cause: String(error), next: `${terminal.invocation} up, or say where it is by --dir or --url`,
  })
  /** Nobody listens, so nothing was done: it may be asked elsewhere. */
  const reached = async <T>(run: () => Promise<T>): Promise<T> => {
    try {
      return await run()
    } catch (error) {
      if (!isRefused(error)) throw error
      const before = located.url
      if ((await relocate()).url === before) throw unreachable(error)
      return await run().catch((again: unknown) => { throw isRefused(again) ? unreachable(again) : again })
    }
  }
  const once = (request: KrpcRequest): Promise<unknown> => reached(() => krpcCall(port(), request))

  const session = openSession({
    clock: platform.clock, scope: located.scope, zone: located.endpoint?.zone ?? located.url,
    file: openSessionFile(terminal, platform, {
      scope: located.scope, user: options.user, file: options.session,
    }),
    loginHint: `${terminal.invocation} login${whereOf(options)}`,
    hub: (method, params) => once({ service: 'verify-hub', method, params }),
  })
  return {
    platform, session, relocate,
    get located() { return located },
    async call(service, method, params, { token: given, ...settings } = {}) {
      const token = given ?? await session.token()
      const request = { service, method, params, ...settings }
      try {
        return await once({ ...request, token })
      } catch (error) {
        if (given !== undefined || !isStale(error)) throw error
        return await once({ ...request, token: await session.renewed(token) })
      }
    },
    async *stream(service, method, params, signal) {
      const token = await session.token()
      try {
        yield* krpcStream(port(), { service, method, params, token, signal })
      } catch (error) {
        // Whoever follows opens it again, with the token that this leaves behind
        if (isStale(error)) await session.renewed(token)
        throw error
      }
    },
    statusOf: (path) => reached(async () => {
      const { hostname, port: number } = located
      const answered = new AbortController()
      try {
        const { status } = await platform.transport.request({
          hostname, port: number, method: 'GET', path, headers: {}, body: '', withinMs: limits.clientCallMs,
          signal: answered.signal,
        })
        return status
      } finally {
        // Only the status is read
        answered.abort()
      }
    }),
  }
}

/** The options that a command needs to find the same zone. */
const whereOf = ({ dir, url, session }: ClientOptions): string => [
  ...(url !== undefined ? [` --url ${url}`] : dir === DEFAULT_DIR ? [] : [` --dir ${dir}`]),
  ...(session === undefined ? [] : [` --session ${session}`]),
].join('')

const isRefused = (error: unknown): boolean => error instanceof Unavailable && /ECONNREFUSED/.test(error.message)
