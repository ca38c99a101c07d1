/** Two ends of a TLS connection on loopback, each with a certificate that the other checks. */
import type { HttpServer } from '../runtime/platform/ports.ts'
import { serveHttp } from '../runtime/platform/http.ts'
import { openTls } from '../runtime/platform/tls-connection.ts'
import type { TlsConnection } from '../runtime/platform/tls-ports.ts'
import { tlsPairs } from './runtime/tls-pairs.ts'

export interface TlsEnds {
  connect(): Promise<{ near: TlsConnection; far: TlsConnection }>
  close(): Promise<void>
}

const HERE = '127.0.0.1'
const ALPN = 'zonewright-tunnel/1'

export async function openTlsEnds(): Promise<TlsEnds> {
  const { root, server: pair, client } = tlsPairs()
  const waiting: ((connection: TlsConnection) => void)[] = []
  const served: HttpServer = await serveHttp({
    hostname: HERE, port: 0, bodyBytesMax: 1_000, requestMsMax: 2_000,
    tls: { ...pair, least: 'TLSv1.3', clientRoots: [root] },
    streams: { alpn: [ALPN], accept: (connection) => waiting.shift()!(connection) },
  }, async () => ({ status: 404, headers: {}, body: '' }))
  return {
    async connect() {
      const accepted = new Promise<TlsConnection>((resolve) => void waiting.push(resolve))
      const near = await openTls({ hostname: HERE, port: served.port, withinMs: 5_000 }, {
        roots: [root], alpn: ALPN, client,
      })
      return { near, far: await accepted }
    },
    close: () => served.close(0),
  }
}
