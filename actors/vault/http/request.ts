import { limits } from '../../../runtime/limits.ts'
import type { Infer } from '../../../runtime/protocol.ts'
import type { HttpCallRequest } from '../../http-protocol.ts'
import type { EngineRequest } from '../engine.ts'
import { badRequest, Fault, unsupportedPath } from './answer.ts'

export type Operation = EngineRequest['operation']

/** A request as the routes see it. Whether a POST creates or updates is for the engine to say. */
export interface VaultRequest {
  readonly operation: Operation
  readonly isHead: boolean
  /** Below `/v1/`, decoded, without a slash at either end. What is decided is decided about this. */
  readonly path: string
  /** The body; of a read or a list the query. Unchecked. */
  readonly data: Readonly<Record<string, unknown>>
  readonly token: string | undefined
}

const operations: Readonly<Record<string, Operation>> = {
  GET: 'read', HEAD: 'read', LIST: 'list', POST: 'update', PUT: 'update', PATCH: 'patch', DELETE: 'delete',
}

const PREFIX = '/v1/'
const BEARER = /^Bearer +([\x21-\x7e]+) *$/i

/** @throws Fault: 400 for what cannot be read, 404 for what is no path of this API, 405 */
export function readRequest({ method, path, query = '', headers, body }: Infer<typeof HttpCallRequest>): VaultRequest {
  const given = Object.hasOwn(operations, method) ? operations[method]! : undefined
  if (given === undefined) throw new Fault(405, 'unsupported method')
  const parameters = readQuery(query)
  const operation = given === 'read' && isYes(parameters['list']) ? 'list' : given
  if ((headers['x-vault-namespace'] ?? '').replace(/\/$/, '') !== '') throw badRequest('namespaces are not supported')
  if (!/^0?s?$/.test(headers['x-vault-wrap-ttl'] ?? '')) throw badRequest('response wrapping is not supported')
  const reads = operation === 'read' || operation === 'list'
  return {
    operation, isHead: method === 'HEAD', path: readPath(path),
    data: reads ? parameters : { ...parameters, ...readBody(body) },
    token: headers['x-vault-token'] ?? BEARER.exec(headers['authorization'] ?? '')?.[1],
  }
}

/**
 * Decoded once, and an encoded slash is a slash, as Vault has it: policies and engines see the same text. What two
 * readers could take for two paths is refused.
 */
function readPath(raw: string): string {
  if (!raw.startsWith(PREFIX)) throw unsupportedPath()
  let path: string
  try {
    path = decodeURIComponent(raw.slice(PREFIX.length)).replace(/\/$/, '')
  } catch {
    throw badRequest('the path is not well encoded')
  }
  if (path.length > limits.vaultHttpPath) throw badRequest(`the path is longer than ${limits.vaultHttpPath} characters`)
  if (!ASCII.test(path)) assertSeen(path)
  const segments = path.split('/')
  if (segments.some((segment) => segment === '..' || segment === '.')) {
    throw badRequest('path cannot contain parent references')
  }
  if (segments.includes('')) throw badRequest('the path has an empty segment')
  return path
}

/** What can be printed: one spelling of each character, and none that hides. */
const ASCII = /^[\x20-\x7e]*$/

function assertSeen(path: string): void {
  // Control characters, and those that change the direction of the text or cannot be seen
  if (/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u.test(path)) throw badRequest('the path holds characters that cannot be seen')
  if (path.normalize('NFC') !== path) throw badRequest('the path is not in Unicode NFC')
}

function readQuery(query: string): Record<string, string> {
  const found: Record<string, string> = Object.create(null)
  let count = 0
  for (const [name, value] of query === '' ? [] : new URLSearchParams(query)) {
    if (++count > limits.vaultHttpParameters) throw badRequest(`more than ${limits.vaultHttpParameters} parameters`)
    if (Object.hasOwn(found, name)) throw badRequest(`a parameter is there twice: ${name.slice(0, 64)}`)
    found[name] = value
  }
  return found
}

function readBody(body: string): Record<string, unknown> {
  if (body.trim() === '') return {}
  if (depthOf(body) > limits.vaultHttpDepth) throw badRequest(`the JSON is deeper than ${limits.vaultHttpDepth} levels`)
  let value: unknown
  try {
    value = JSON.parse(body)
  } catch {
    throw badRequest('failed to parse JSON input')
  }
  if (typeof value !== 'object' || Array.isArray(value)) throw badRequest('failed to parse JSON input: no object')
  return { ...value }
}

/** How deep brackets stand in it, outside of strings: before anything takes it apart. */
function depthOf(text: string): number {
  let [depth, deepest, quoted] = [0, 0, false]
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (quoted) {
      if (code === 0x5c) at++
      else if (code === 0x22) quoted = false
    } else if (code === 0x22) quoted = true
    else if (code === 0x7b || code === 0x5b) deepest = Math.max(deepest, ++depth)
    else if (code === 0x7d || code === 0x5d) depth--
  }
  return deepest
}

export const isYes = (value: unknown): boolean => value === true || value === 'true' || value === '1' || value === 1
