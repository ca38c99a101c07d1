/** A TLS port that anybody reaches, with room for who comes, and clients of it that hold what they get. */
import { connect as connectPlain, type Socket } from 'node:net'
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls'
import { sourceOf } from '../actors/enrolment/sources.ts'
import { serveHttp } from '../runtime/platform/http.ts'
import type { HttpServer } from '../runtime/platform/ports.ts'
import type { TlsConnection } from '../runtime/platform/tls-ports.ts'
import { displayName } from '../runtime/x509/name.ts'
import { parseCertificate } from '../runtime/x509/certificate.ts'
import { pause } from '../runtime/within.ts'
import { systemClock as clock } from '../runtime/platform/clock.ts'
import { tlsPairs } from './runtime/tls-pairs.ts'

export const TUNNEL = 'zonewright-tunnel/1'

export interface Edge {
  readonly port: number
  /** Connections that were handed over. */
  readonly streams: readonly TlsConnection[]
  /** Lets requests to /slow be answered. */
  answer(): void
  /** Bare TCP, from that address of this machine. */
  raw(from?: string): Promise<Socket>
  /** After the handshake. */
  tls(given?: { readonly certified?: boolean; readonly alpn?: string; readonly from?: string }): Promise<TLSSocket>
  close(): Promise<void>
}

let pairs: ReturnType<typeof tlsPairs> | undefined

export async function openEdge(): Promise<Edge> {
  const { root, server: pair, client } = pairs ??= tlsPairs()
  const streams: TlsConnection[] = []
  let answer = (): void => {}
  const answered = new Promise<void>((resolve) => { answer = resolve })
  const sockets: Socket[] = []
  const served: HttpServer = await serveHttp({
    hostname: '127.0.0.1', port: 0, bodyBytesMax: 1_000, requestMsMax: 10_000,
    tls: { ...pair, least: 'TLSv1.3', clientRoots: [root] },
    room: { sourceOf, nameOf: (der) => displayName(parseCertificate(der).subject) },
    streams: { alpn: [TUNNEL], accept: (connection) => {
      connection.receive(() => {}, () => {})
      streams.push(connection)
    } },
  }, async ({ path }) => {
    if (path === '/slow') await answered
    return { status: 200, headers: {}, body: 'ok' }
  })
  const kept = <S extends Socket>(socket: S): S => {
    sockets.push(socket)
    socket.on('error', () => {})
    return socket
  }
  const there = { host: '127.0.0.1', port: served.port }
  return {
    port: served.port, streams, answer: () => answer(),
    raw: (from = '127.0.0.1') => new Promise((resolve, reject) => {
      const socket = kept(connectPlain({ ...there, localAddress: from }))
      socket.on('connect', () => resolve(socket)).on('error', reject)
    }),
    tls: ({ certified = false, alpn = 'http/1.1', from = '127.0.0.1' } = {}) => new Promise((resolve, reject) => {
      const socket = kept(connectTls({
        ...there, localAddress: from, ca: root, ALPNProtocols: [alpn], minVersion: 'TLSv1.3',
        ...(certified ? { cert: client.certificate, key: client.key } : {}),
      } as ConnectionOptions))
      socket.on('secureConnect', () => resolve(socket)).on('error', reject)
      socket.on('close', () => reject(new Error('The connection was cut in its handshake')))
    }),
    close: async () => {
      for (const socket of sockets) socket.destroy()
      await served.close(0)
    },
  }
}

/** The status of one request on that connection, which stays open, or `cut`. */
export const ask = (socket: TLSSocket, path = '/'): Promise<string> => new Promise((resolve) => {
  if (socket.destroyed) return resolve('cut')
  let heard = ''
  const cut = (): void => resolve('cut')
  const take = (chunk: Uint8Array): void => {
    heard += new TextDecoder().decode(chunk)
    if (!heard.endsWith('ok')) return
    socket.off('data', take).off('close', cut)
    resolve(heard.slice(9, 12))
  }
  socket.on('data', take).on('close', cut)
  socket.write(`GET ${path} HTTP/1.1\r\nhost: here\r\n\r\n`)
})

/** Whether it comes to that within the time. */
export async function comesTo(what: () => boolean, withinMs = 5_000): Promise<boolean> {
  for (const began = clock.monotonic(); clock.monotonic() - began < withinMs;) {
    if (what()) return true
    await pause(clock, 20)
  }
  return what()
}
