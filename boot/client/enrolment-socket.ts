import { safeParse } from 'valibot'
import {
  Denied, InvalidArgument, LimitExceeded, NotFound, Overloaded, Unavailable, messageOf,
} from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import type { HttpAnswer } from '../../runtime/platform/ports.ts'
import type { Infer, Schema } from '../../runtime/protocol.ts'
import { NotAZone, ZoneNotRunning } from '../errors.ts'
import { ENROLMENT_SOCKET, file } from '../init.ts'
import { parseJson } from '../parse-json.ts'
import type { Terminal } from '../terminal.ts'
import { isStale } from './session.ts'
import type { ZoneClient } from './zone-client.ts'

export type EnrolmentSocket =
  <S extends Schema>(schema: S, method: string, path: string, body?: string) => Promise<Infer<S>>

/**
 * Speaks to the enrolment of a zone that runs on this machine: by its Unix socket, and the session of who is logged in.
 * @throws Denied, InvalidArgument, LimitExceeded, NotFound, ZoneNotRunning
 */
export function enrolmentOf(terminal: Terminal, client: ZoneClient, dir: string): EnrolmentSocket {
  const socket = terminal.absolute(`${dir}/${file.run}/${ENROLMENT_SOCKET}`)
  const { transport } = client.platform
  const send = (method: string, path: string, body: string, token: string): Promise<HttpAnswer> => transport.request({
    hostname: '', port: 0, socket, method, path, body, withinMs: limits.clientCallMs,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
  }).catch((error: unknown) => {
    if (!(error instanceof Unavailable)) throw error
    throw new ZoneNotRunning('No zone here takes hosts that join', {
      path: socket, cause: messageOf(error),
      next: `Its config needs addr and tls_config.enable; then ${terminal.invocation} up`,
    })
  })
  const ask = async <S extends Schema>(
    schema: S, method: string, path: string, body = '', again = true,
  ): Promise<Infer<S>> => {
    const token = await client.session.token()
    const { status, body: pieces } = await send(method, path, body, token)
    const value = parseJson(await whole(pieces))
    if (status >= 300) {
      const failure = failureOf(status, value)
      if (!again || !isStale(failure)) throw failure
      await client.session.renewed(token)
      return ask(schema, method, path, body, false)
    }
    const parsed = safeParse(schema, value)
    if (!parsed.success) throw new NotAZone(`What answers at ${socket} is no zone of ours`)
    return parsed.output
  }
  return (schema, method, path, body) => ask(schema, method, path, body)
}

async function whole(pieces: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const all: Uint8Array[] = []
  for await (const piece of pieces) all.push(piece)
  const bytes = new Uint8Array(all.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const piece of all) {
    bytes.set(piece, at)
    at += piece.length
  }
  return bytes
}

function failureOf(status: number, value: unknown): Error {
  const { error, code, ...details } = (value ?? {}) as Record<string, unknown>
  const message = typeof error === 'string' ? error : `The zone answers ${status}`
  switch (code) {
    case 'Denied': return new Denied(message, details)
    case 'InvalidArgument': return new InvalidArgument(message, details)
    case 'LimitExceeded': return new LimitExceeded(message, details)
    case 'NotInVault': case 'NotFound': return new NotFound(message, details)
    case 'Overloaded': return new Overloaded(message, details)
    default: return status === 503 ? new Unavailable(message, details) : new NotAZone(message, details)
  }
}
