import { kv, readRecord } from '../../actors/records.ts'
import { BootConfig } from '../../actors/system-config/protocol.ts'
import { Denied, Unavailable } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import type { Platform } from '../../runtime/platform/ports.ts'
import type { Infer } from '../../runtime/protocol.ts'
import { readDocuments } from '../backup/zone.ts'
import { NotLoggedIn, Usage, ZoneNotRunning } from '../errors.ts'
import { file } from '../init.ts'
import type { Terminal } from '../terminal.ts'
import { krpcCall, krpcStream, type KrpcPort, type KrpcRequest, type KrpcService } from './krpc.ts'
import { DEFAULT_DIR, locate, type Located, type Where } from './locate.ts'
import { openSessionFile } from './session-file.ts'
import { isStale, nobody, openSession, type Session } from './session.ts'
import { clockFault, openSudo, otherKey, type Sudo } from './sudo.ts'

export interface ClientOptions extends Where {
  readonly user?: string
  readonly session?: string
}

interface CallOptions {
  readonly withinMs?: number
  readonly signal?: AbortSignal
  /** Instead of the session's. */
  readonly token?: string
  /** By the session, also where `sudo` was said. */
  readonly bySession?: true
}

/** What tokens by the keys of people have to fit. */
type ZoneIdentity = Pick<Infer<typeof BootConfig>, 'zone' | 'root' | 'epoch'>

/** A running zone, as the command line reaches it: found anew when it moves, and spoken to by a person's session. */
export interface ZoneClient {
  readonly platform: Platform
  readonly session: Session
  readonly located: Located
  /** Finds it again: after a restart it may listen elsewhere. @throws ZoneNotRunning */
  relocate(): Promise<Located>
  /** By the session, or the documents in the zone's folder: nobody need be logged in for keys. @throws NotLoggedIn */
  boot(): Promise<ZoneIdentity>
  /** Who is logged in, or whom `--user` names. @throws NotLoggedIn */
  user(): Promise<string>
  /** By the session; after `sudo`, by a token for this one request. @throws what the zone answered, NotLoggedIn */
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

  const zone = located.endpoint?.zone ?? located.url
  /** Without a name it is the owner who logs in. */
  const loginHint = (user: string | undefined): string => {
    const named = user === undefined || user === located.endpoint?.owner ? '' : ` ${user}`
    return `${terminal.invocation} login${named}${whereOf(options)}`
  }
  const session = openSession({
    clock: platform.clock, scope: located.scope, zone, asked: options.user,
    file: openSessionFile(terminal, platform, {
      scope: located.scope, user: options.user, file: options.session,
    }),
    loginHint,
    hub: (method, params) => once({ service: 'verify-hub', method, params }),
  })
  const bySession = async (request: KrpcRequest): Promise<unknown> => {
    const token = await session.token()
    try {
      return await once({ ...request, token })
    } catch (error) {
      if (!isStale(error)) throw error
      return await once({ ...request, token: await session.renewed(token) })
    }
  }
  const user = async (): Promise<string> => {
    const name = await session.user() ?? options.user
    if (name !== undefined) return name
    throw new NotLoggedIn(nobody(options.user, zone), { next: loginHint(options.user) })
  }
  let booted: Promise<ZoneIdentity> | undefined
  const readBoot = async (): Promise<ZoneIdentity> => {
    const params = { key: kv.bootConfig }
    const found = await bySession({ service: 'system_config', method: 'sys_config_get', params })
    const { value = '' } = (found ?? {}) as { value?: unknown }
    return readRecord(BootConfig, kv.bootConfig, String(value))
  }
  /** Whoever has the folder: the zone that runs from it would not run by other documents. */
  const readFolder = async (): Promise<ZoneIdentity | undefined> => {
    if (!located.endpoint) return undefined
    const text = await terminal.read(terminal.absolute(`${options.dir}/${file.identity}`)).catch(() => undefined)
    return text === undefined ? undefined : readDocuments(platform, new TextEncoder().encode(text)).zone
  }
  const boot = (): Promise<ZoneIdentity> => (booted ??= readBoot().catch(async (error: unknown) => {
    const found = error instanceof NotLoggedIn ? await readFolder() : undefined
    if (found) return found
    throw error
  }))
  const sudo: Sudo | undefined = terminal.sudo && openSudo(terminal.sudo, {
    terminal, platform, scope: located.scope, user, epoch: async () => (await boot()).epoch,
  })
  const bySudo = async (signer: Sudo, request: KrpcRequest): Promise<unknown> => {
    const audience = takesSudo[request.service]
    if (audience === undefined) {
      throw new Usage(`${request.service} takes no sudo tokens`, { next: 'Run the command without sudo' })
    }
    const token = await signer.token(audience)
    let date: string | undefined
    const answered: KrpcRequest['answered'] = (headers) => { date = headers['date'] }
    return await once({ ...request, token, answered }).catch((error: unknown) => {
      const zoneMs = date === undefined ? undefined : terminal.timeOf(date)
      throw clockFault(otherKey(error, terminal.invocation), platform.clock.now(), zoneMs)
    })
  }
  return {
    platform, session, relocate, boot, user,
    get located() { return located },
    async call(service, method, params, { token, bySession: plain, ...settings } = {}) {
      const request = { service, method, params, ...settings }
      if (token !== undefined) return await once({ ...request, token })
      if (sudo && !plain) return await bySudo(sudo, request)
      return await bySession(request).catch(async (error: unknown) => {
        throw notForIt(error, service, loginHint(await session.user()))
      })
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

/** By the name in the path: the audience of a sudo token. node-daemon takes none (the matrix: node). */
const takesSudo: Readonly<Partial<Record<KrpcService, string>>> = {
  system_config: 'system-config', 'verify-hub': 'verify-hub', scheduler: 'scheduler',
  'cert-manager': 'cert-manager', 'node-monitor': 'node-monitor',
}

/** A session from before the app was allowed to ask there. */
function notForIt(error: unknown, service: KrpcService, loginHint: string): unknown {
  if (!(error instanceof Denied) || error.details['reason'] !== 'token/audience') return error
  return new Denied(`The session is not for ${service}`, {
    ...error.details, next: `${loginHint}; if that does not help, services/console/spec has to name ${service}`,
  })
}

/** The options that a command needs to find the same zone. */
const whereOf = ({ dir, url, session }: ClientOptions): string => [
  ...(url !== undefined ? [` --url ${url}`] : dir === DEFAULT_DIR ? [] : [` --dir ${dir}`]),
  ...(session === undefined ? [] : [` --session ${session}`]),
].join('')

const isRefused = (error: unknown): boolean => error instanceof Unavailable && /ECONNREFUSED/.test(error.message)
