import { request as send } from 'node:https'
import { DeadlineExceeded, messageOf, Unavailable } from '../../runtime/errors.ts'
import type { HttpCall } from '../../runtime/platform/ports.ts'
import type { CollectorAnswer } from './collector.ts'

/** To a collector that is reached by TLS: its certificate must be good for what the system trusts. */
export const httpsRequest = (call: HttpCall, bodyBytesMax: number): Promise<CollectorAnswer> =>
  new Promise((resolve, reject) => {
    const { hostname, port, method, path, headers, body, withinMs, signal } = call
    const where = `${hostname}:${port}`
    const request = send({
      hostname, port, method, path, agent: false, headers: { ...headers, 'content-length': Buffer.byteLength(body) },
      ...(signal ? { signal } : {}),
    })
    const late = setTimeout(() => {
      request.destroy(new DeadlineExceeded(`No answer from ${where} within ${withinMs} ms`))
    }, withinMs)
    const fail = (error: unknown): void => {
      clearTimeout(late)
      const away = new Unavailable(`No answer from ${where}: ${messageOf(error)}`)
      reject(error instanceof DeadlineExceeded ? error : away)
    }
    request.on('error', fail)
    request.on('response', (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        if (text.length < bodyBytesMax) text += chunk
      })
      response.on('error', fail)
      response.on('end', () => {
        clearTimeout(late)
        resolve({ status: response.statusCode ?? 0, retryAfter: response.headers['retry-after'], body: text })
      })
    })
    request.end(body)
  })
