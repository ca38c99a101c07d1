import { request as send, type IncomingMessage } from 'node:http'
import { DeadlineExceeded, messageOf, Unavailable } from '../errors.ts'
import type { HttpAnswer, HttpCall, Transport } from './ports.ts'

/** `node:http` on both runtimes. One connection a request: nothing is kept open behind the caller's back. */
export const httpRequest: Transport['request'] = (call) => new Promise<HttpAnswer>((resolve, reject) => {
  const { hostname, port, method, path, headers, body, withinMs, signal } = call
  const where = `${hostname}:${port}`
  const request = send({
    hostname, port, method, path, agent: false, headers: { ...headers, 'content-length': Buffer.byteLength(body) },
    ...(signal ? { signal } : {}),
  })
  const late = setTimeout(() => {
    request.destroy(new DeadlineExceeded(`No answer from ${where} within ${withinMs} ms`))
  }, withinMs)
  request.on('error', (error) => {
    clearTimeout(late)
    reject(error instanceof DeadlineExceeded ? error : new Unavailable(`No answer from ${where}: ${messageOf(error)}`))
  })
  request.on('response', (response) => {
    clearTimeout(late)
    resolve({ status: response.statusCode ?? 0, headers: headersOf(response), body: bodyOf(response, call) })
  })
  request.end(body)
})

function headersOf({ headers }: IncomingMessage): HttpAnswer['headers'] {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) =>
    [name, Array.isArray(value) ? value.join(', ') : value ?? '']))
}

async function* bodyOf(response: IncomingMessage, { hostname, port }: HttpCall): AsyncIterable<Uint8Array> {
  try {
    for await (const chunk of response) yield chunk as Uint8Array
  } catch (error) {
    throw new Unavailable(`The answer of ${hostname}:${port} was cut: ${messageOf(error)}`)
  }
}
