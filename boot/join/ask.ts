import { safeParse } from 'valibot'
import type { TlsCall } from '../../runtime/platform/tls-ports.ts'
import type { Infer, Schema } from '../../runtime/protocol.ts'
import { NotAZone } from '../errors.ts'
import { answerFailure } from './failures.ts'
import type { JoinOptions } from './join-client.ts'

export const serverOf = ({ hostname, port }: JoinOptions): string => `${hostname}:${port}`

/** The control plane at the other end of a connection, which was judged when that was made. */
export interface Asking {
  /** @throws what is in `boot/errors` */
  ask<S extends Schema>(schema: S, method: string, path: string, body?: unknown): Promise<Infer<S>>
  close(): void
}

/** @throws what `Transport.connectHttp` does */
export async function askingOf(
  { platform: { transport }, hostname, port, signal, attemptMs: withinMs }: JoinOptions, tls: TlsCall,
): Promise<Asking> {
  const connection = await transport.connectHttp({ hostname, port, withinMs, signal }, tls)
  return {
    async ask(schema, method, path, body) {
      const { status, body: pieces } = await connection.request({
        method, path, signal, withinMs, bytesMax: ANSWER_BYTES_MAX,
        headers: body === undefined ? {} : { 'content-type': 'application/json' },
        body: body === undefined ? '' : JSON.stringify(body),
      })
      let text = ''
      const decoder = new TextDecoder()
      for await (const piece of pieces) text += decoder.decode(piece, { stream: true })
      const value = parseText(text + decoder.decode())
      if (status !== 200) throw answerFailure(status, (value ?? {}) as object)
      const parsed = safeParse(schema, value)
      if (!parsed.success) throw new NotAZone(`What answers at ${hostname}:${port} is no zone of ours`)
      return parsed.output
    },
    close: () => connection.close(),
  }
}

/** What is asked by one connection. @throws what `Transport.connectHttp` does, and what is in `boot/errors` */
export async function withServer<T>(
  options: JoinOptions, tls: TlsCall, use: (asking: Asking) => Promise<T>,
): Promise<T> {
  const asking = await askingOf(options, tls)
  try {
    return await use(asking)
  } finally {
    asking.close()
  }
}

/** Undefined where it is no JSON. */
function parseText(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const ANSWER_BYTES_MAX = 256 * 1_024
