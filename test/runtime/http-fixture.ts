import { connect, type Socket } from 'node:net'
import { serveHttp } from '../../runtime/platform/http.ts'
import type { HttpRequest, HttpResponse, HttpServer } from '../../runtime/platform/ports.ts'

/** The HTTP server of the running runtime, met by bare connections. */

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

export const BODY_MAX = 1_000
export const REQUEST_MS = 600

export async function withServer(
  handle: (request: HttpRequest) => Promise<HttpResponse> | HttpResponse,
  test: (server: HttpServer) => Promise<void>,
  options: { bodyBytesMax?: number; requestMsMax?: number } = {},
): Promise<void> {
  const server = await serveHttp(
    { hostname: '127.0.0.1', port: 0, bodyBytesMax: BODY_MAX, requestMsMax: REQUEST_MS, ...options },
    async (request) => handle(request),
  )
  try {
    await test(server)
  } finally {
    await server.close(0)
  }
}

export interface Answer {
  readonly text: string
  readonly ms: number
  readonly closed: boolean
}

/** Sends this on a connection of its own and hears until it closes, or for so long. */
export function send(port: number, text: string | Uint8Array, msMax = 3_000): Promise<Answer> {
  return new Promise((resolve) => {
    const began = performance.now()
    let heard = ''
    const socket = connect(port, '127.0.0.1', () => socket.write(text))
    const done = (closed: boolean): void => {
      clearTimeout(timer)
      resolve({ text: heard, ms: performance.now() - began, closed })
      socket.destroy()
    }
    const timer = setTimeout(() => done(false), msMax)
    socket.on('data', (chunk: Uint8Array) => {
      heard += new TextDecoder().decode(chunk)
    })
    socket.on('error', () => {})
    socket.on('close', () => done(true))
  })
}

/** A connection that reads only what it is told to. */
export interface Slow {
  readonly socket: Socket
  readonly closed: Promise<void>
  heard: string
}

export function open(port: number, text: string, read = true): Promise<Slow> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.write(text)
      resolve(slow)
    })
    const slow: Slow = { socket, heard: '', closed: new Promise((closed) => socket.on('close', () => closed())) }
    if (read) socket.on('data', (chunk: Uint8Array) => void (slow.heard += new TextDecoder().decode(chunk)))
    // Later ones end it, and `closed` tells
    socket.on('error', reject)
  })
}

export const request = (line: string, ...headers: string[]): string =>
  [`${line} HTTP/1.1`, 'host: localhost', ...headers, '', ''].join('\r\n')

export const statusOf = ({ text }: { readonly text: string }): string => text.slice(9, 12)

/** Until it holds, or for so long. */
export async function until(holds: () => boolean, msMax = 3_000): Promise<boolean> {
  for (const began = performance.now(); performance.now() - began < msMax; await sleep(10)) if (holds()) return true
  return holds()
}
