import { safeParse } from 'valibot'
import type { HttpCall } from '../../runtime/platform/ports.ts'
import type { TlsCall } from '../../runtime/platform/tls-ports.ts'
import type { Infer, Schema } from '../../runtime/protocol.ts'
import { NotAZone } from '../errors.ts'
import { parseJson } from '../parse-json.ts'
import { answerFailure } from './failures.ts'
import type { JoinOptions } from './join-client.ts'

export const serverOf = ({ hostname, port }: JoinOptions): string => `${hostname}:${port}`

/** One request to the control plane. @throws what is in `boot/errors` */
export async function ask<S extends Schema>(
  { platform: { transport }, hostname, port, signal, attemptMs }: JoinOptions, schema: S, method: string, path: string,
  body: unknown, tls: TlsCall,
): Promise<Infer<S>> {
  const call: HttpCall = {
    hostname, port, method, path, tls, signal, withinMs: attemptMs, bytesMax: ANSWER_BYTES_MAX,
    headers: body === undefined ? {} : { 'content-type': 'application/json' },
    body: body === undefined ? '' : JSON.stringify(body),
  }
  const { status, body: pieces } = await transport.request(call)
  const bytes: number[] = []
  for await (const piece of pieces) for (const byte of piece) bytes.push(byte)
  const value = parseJson(Uint8Array.from(bytes))
  if (status !== 200) throw answerFailure(status, (value ?? {}) as object)
  const parsed = safeParse(schema, value)
  if (!parsed.success) throw new NotAZone(`What answers at ${hostname}:${port} is no zone of ours`)
  return parsed.output
}

const ANSWER_BYTES_MAX = 256 * 1_024
