import { actor } from '../../runtime/actor.ts'
import { InvalidArgument } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import { createHandOn, faultBody } from './listener/hand-on.ts'
import { Vault, VaultListener } from './protocol.ts'

const LOOPBACK: ReadonlySet<string> = new Set(['127.0.0.1', '::1', 'localhost'])

/**
 * HashiCorp Vault's API, for stock clients. The vault itself has no network: it is asked over a sealed link, and what
 * listens has neither its store nor its keys.
 */
export default actor(VaultListener, {
  needs: { vault: Vault }, stateless: true,
}, async ({ needs, transport, env, log, self }) => {
  const hostname = env['ZONEWRIGHT_VAULT_HOSTNAME'] ?? '127.0.0.1'
  if (!LOOPBACK.has(hostname)) {
    throw new InvalidArgument(`Without TLS the vault listens on loopback only: ${hostname}`)
  }
  const handle = createHandOn({
    vault: needs.vault, warn: (message) => log.warn(message),
    origin: () => `http://${hostname.includes(':') ? `[${hostname}]` : hostname}:${server.port}`,
  })
  const server = await transport.serveHttp({
    hostname, port: Number(env['ZONEWRIGHT_VAULT_PORT'] ?? 0), bodyBytesMax: limits.vaultHttpBody,
    requestMsMax: limits.vaultHttpMs, lists: true, faultBody,
  }, handle)
  return {
    handlers: { address: () => ({ hostname, port: server.port, tls: false }) },
    lifecycle: {
      admit: (peer) => peer.host === self.host,
      stop: () => server.close(limits.httpCloseMs),
    },
  }
})
