import { connect } from 'node:tls'
import { tunnelAlpn } from '../../actors/join-protocol.ts'
import { join, type Joined } from '../../boot/join/join-client.ts'
import { readTokenFile } from '../../boot/join/token-file.ts'
import { Denied } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import { openPlatform } from '../../runtime/platform/index.ts'
import { decodePem } from '../../runtime/x509/pem.ts'
import { tlsChannel } from '../../transport/tls.ts'
import type { TunnelEnd } from '../../transport/tunnel/protocol.ts'
import { openTunnel } from '../../transport/tunnel/tunnel.ts'
import { timed } from '../pki/payload.ts'
import { HERE, type Given } from './orders.ts'

const ATTEMPT_MS = 60_000

/** All hosts in one thread: each with keys of its own, and by the client that `zonewright join` is. */
export function createHosts() {
  const joined: Joined[] = []
  const tunnels: TunnelEnd[] = []

  return {
    async join(port: number, given: readonly Given[], inFlight: number): Promise<number> {
      const platform = await openPlatform()
      const { keys, random } = platform
      return timed(given.length, inFlight, async (index) => {
        const { token, host, roots } = given[index]!
        joined.push(await join({
          platform, hostname: HERE, port, given: readTokenFile(token, 'token'), host, roots,
          device: keys.generate(random), attempts: limits.joinAttempts, attemptMs: ATTEMPT_MS,
          signal: new AbortController().signal, onStep() {},
          onRetry: (error) => console.error(`${host} tries again: ${error.message}`),
        }))
      })
    },
    /** Until both ends are done with it: the server's says so by a byte. */
    handshakes: (port: number, count: number, inFlight: number): Promise<number> =>
      timed(count, inFlight, (index) => new Promise<void>((resolve, reject) => {
        const { tls, roots } = joined[index % joined.length]!
        const socket = connect({
          host: HERE, port, minVersion: 'TLSv1.3', cert: tls.certificate, key: tls.key, ca: [...roots],
        })
        socket.once('error', reject).once('data', () => {
          if (socket.authorized) resolve()
          else reject(new Error('The handshake was with somebody else'))
          socket.destroy()
        })
      })),
    async dial(port: number, count: number): Promise<number> {
      const { clock, random, keys, transport } = await openPlatform()
      const hosts = joined.slice(-count)
      if (hosts.length < count) throw new Error(`Only ${hosts.length} hosts have joined`)
      const once = async ({ zone, host, tls, roots }: Joined): Promise<TunnelEnd> => {
        let peer: Uint8Array | undefined
        const connection = await transport.connectTls({ hostname: HERE, port, withinMs: ATTEMPT_MS }, {
          roots, alpn: tunnelAlpn, client: tls, check: (certificate) => { peer = certificate },
        })
        const [own = tls.certificate] = tls.certificate.match(/-----BEGIN[^]*?-----END CERTIFICATE-----\n/) ?? []
        return openTunnel({
          channel: tlsChannel(connection, { clock }), role: 'dialer', clock, random,
          hello: { zone, host }, certificates: { own: decodePem(own, 'CERTIFICATE'), peer: peer!, keys },
          onHello: async () => {}, onTell: async () => {}, onRenew: async () => {},
          onOpen: async () => { throw new Denied('It opens nothing') },
        })
      }
      return timed(count, 16, async (index) => {
        const host = hosts[index]!
        // As an uplink does
        for (let left: number = limits.joinAttempts; ; left--) {
          try {
            return void tunnels.push(await once(host))
          } catch (error) {
            if (left === 1) throw error
            console.error(`${host.host} dials again: ${error instanceof Error ? error.message : String(error)}`)
          }
        }
      })
    },
    end(): void {
      for (const tunnel of tunnels) tunnel.close('the bench is over')
    },
  }
}
