import { ZonewrightError } from '../../../runtime/errors.ts'
import type { Infer } from '../../../runtime/protocol.ts'
import type { HttpCallRequest } from '../../http-protocol.ts'
import type { Unsealed } from '../core.ts'
import type { EngineResponse } from '../engine.ts'
import type { Area } from '../guarded.ts'
import { VaultSealed } from '../protocol.ts'
import {
  encode, encodeFault, Fault, forbidden, secret, unsupportedPath, type Answer, type HttpAnswer,
} from './answer.ts'
import type { Mount } from './mounts.ts'
import { createOperator } from './operator.ts'
import { readRequest, type VaultRequest } from './request.ts'
import { createRouter, given, type Holder, type Match } from './route.ts'
import { openServices, type MakePki, type Services } from './services.ts'
import { sysRoutes } from './sys/routes.ts'
import { roleRoutes } from './tokens/roles.ts'
import { tokenRoutes } from './tokens/routes.ts'

export type Http = (request: Infer<typeof HttpCallRequest>) => Promise<HttpAnswer>

/** HashiCorp Vault's API: who may (tokens and policies), what answers (routes and mounts), and its envelope. */
export function createHttp(area: Area, makePki: MakePki): Http {
  const { core, audit, start: { log } } = area
  const { random } = core.ports
  const find = createRouter([...sysRoutes, ...roleRoutes, ...tokenRoutes])
  const operator = createOperator(area)
  const opened = new WeakMap<Unsealed, Promise<Services>>()
  /** Made once for each unseal, and again when it could not be. */
  const servicesOf = (vault: Unsealed): Promise<Services> => {
    const found = opened.get(vault) ?? openServices(vault, core.ports, makePki, log.warn)
    opened.set(vault, found)
    found.catch(() => opened.delete(vault))
    return found
  }

  const answer = async (request: VaultRequest): Promise<Answer> => {
    const match = find(request.path)
    if (match?.route.open) {
      return served(match.route.on, request)({ ...given(request, match, area), operator, openServices: servicesOf })
    }
    const services = await servicesOf(core.open())
    const mount = match ? undefined : await services.mounts.find(request.path)
    if (mount && isOpen(services, mount, request)) return fromEngine(services, mount, request, '')
    const holder = await holderOf(services, request)
    try {
      return await allowed(services, holder, request, match, mount)
    } finally {
      // It had this one use left. A note of it is in the store: where this fails, a sweep goes on
      if (holder.isLast) await services.tokens.revoke(holder.name).catch(() => {})
    }
  }

  const allowed = async (
    services: Services, holder: Holder, request: VaultRequest, match: Match | undefined, mount: Mount | undefined,
  ): Promise<Answer> => {
    const { path, data } = request
    const operation = request.operation === 'update' && mount && !await exists(services, mount, path)
      ? 'create' : request.operation
    const isSudo = match?.route.open === undefined && match?.route.sudo === true
    const entry = { kind: 'call', who: holder.record.accessor, method: `http ${operation}`, resource: path } as const
    if (!holder.acl.allows({ operation, path, data, isSudo })) {
      await audit.record({ ...entry, outcome: 'denied', code: 'Denied' })
      throw forbidden()
    }
    // Durable beside what the request itself writes, and before its answer
    const begun = audit.record({ ...entry, outcome: 'begun' })
    begun.catch(() => {})
    const work = async (): Promise<Answer> => {
      if (match && !match.route.open) {
        return served(match.route.on, request)({ ...given(request, match, area), services, holder })
      }
      if (mount === undefined) throw unsupportedPath()
      return fromEngine(services, mount, { ...request, operation }, holder.record.accessor)
    }
    try {
      const answered = await work()
      await begun
      return answered
    } catch (error) {
      const code = error instanceof Fault ? String(error.status) : codeOf(error)
      await audit.record({ ...entry, outcome: 'failed', code, of: await begun })
      throw error
    }
  }

  return async (raw) => {
    try {
      const request = readRequest(raw)
      const answered = encode(await answer(request), random)
      return request.isHead ? { ...answered, body: '' } : answered
    } catch (error) {
      return refused(error, (what) => log.warn('A request of the vault’s HTTP API failed', { what }))
    }
  }
}

async function holderOf(
  { tokens, policies }: Services, { token }: VaultRequest,
): Promise<Holder & { readonly isLast: boolean }> {
  const found = token === undefined ? undefined : await tokens.use(token)
  if (found === undefined) throw forbidden()
  return { ...found, token: token!, acl: await policies.aclOf(found.record.policies) }
}

const below = ({ path: mounted }: Mount, path: string): string => path.slice(mounted.length)

function isOpen(services: Services, mount: Mount, { operation, path }: VaultRequest): boolean {
  if (operation !== 'read') return false
  const asked = below(mount, path).split('/')
  return services.engineOf(mount).open.some((pattern) => {
    const segments = pattern.split('/')
    return segments.length === asked.length && segments.every((one, index) => one.startsWith('*') || one === asked[index])
  })
}

const exists = async (services: Services, mount: Mount, path: string): Promise<boolean> =>
  await services.engineOf(mount).exists?.(below(mount, path)) ?? true

async function fromEngine(services: Services, mount: Mount, request: VaultRequest, holder: string): Promise<Answer> {
  const { operation, path, data } = request
  const response = await services.engineOf(mount).handle({ operation, path: below(mount, path), data, holder })
  return answerOf(response)
}

function answerOf({ data, raw, warnings, status }: EngineResponse): Answer {
  if (raw) return { kind: 'raw', ...raw }
  if (data === undefined && !warnings) return undefined
  return secret(data ?? null, { ...(warnings ? { warnings } : {}), ...(status === undefined ? {} : { status }) })
}

function served<C>(
  on: Partial<Record<VaultRequest['operation'], (cx: C) => Promise<Answer> | Answer>>, { operation }: VaultRequest,
): (cx: C) => Promise<Answer> {
  const handle = on[operation]
  if (handle === undefined) throw new Fault(405, 'unsupported operation')
  return async (cx) => handle(cx)
}

/** What crosses as one of our errors, as Vault would say it. */
const statuses: Readonly<Record<string, number>> = {
  InvalidArgument: 400, CertificateRefused: 400, SecretVersionMismatch: 400, AlreadyExists: 400,
  NotFound: 400, NotInVault: 404, SecretNotFound: 404, Denied: 403, Overloaded: 429, Unavailable: 503,
}
const codeOf = (error: unknown): string => (error instanceof ZonewrightError ? error.code : 'Internal')

function refused(error: unknown, warn: (what: string) => void): HttpAnswer {
  if (error instanceof Fault) return encodeFault(error)
  if (error instanceof VaultSealed) {
    const isWrong = error.details['reason'] === 'shares'
    return encodeFault(isWrong ? new Fault(400, error.message) : new Fault(503, 'Vault is sealed'))
  }
  const status = statuses[codeOf(error)]
  if (status !== undefined) {
    const { message } = error as ZonewrightError
    return encodeFault(new Fault(status, message), status === 429 || status === 503 ? { 'retry-after': '1' } : {})
  }
  // Its text may say where and what: for the log, and not for who asks
  warn(error instanceof ZonewrightError ? `${error.code}: ${error.message}` : String(error))
  return encodeFault(new Fault(500, 'internal error'))
}
