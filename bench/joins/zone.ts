import { createServer } from 'node:tls'
import type { AddressInfo } from 'node:net'
import { makeCertificate } from '../../actors/enrolment/server-certificate.ts'
import { Vault } from '../../actors/vault/protocol.ts'
import { tokenFileOf } from '../../boot/join/token-file.ts'
import { removeFolders } from '../../test/boot-fixtures/command-line.ts'
import { joiningZone, platform, type JoiningZone } from '../../test/boot-fixtures/joining.ts'
import { openAlone, type Alone } from '../pki/alone.ts'
import { makeRequests, timed, type Requests } from '../pki/payload.ts'
import { collected } from './memory.ts'
import { HERE, type Booted, type Given, type Memory } from './orders.ts'

/** One OOD, as `up` runs it, and beside it in the same process what a join cannot be faster than. */
export function createZone() {
  let zone: JoiningZone | undefined
  let engine: { readonly alone: Alone; readonly requests: Requests } | undefined
  const open = async () => ({ alone: await openAlone(platform), requests: await makeRequests(platform) })

  /** Handshakes and nothing after them, with certificates by the same authorities. */
  const serveBare = async (): Promise<number> => {
    const { keys, random, clock } = platform
    const log = { info() {}, warn() {}, error() {} }
    const vault = zone!.zone.get(Vault)
    const { certificate, key } = await makeCertificate({
      keys, random, clock, log, vault, hostname: HERE, stopping: new AbortController().signal,
      self: { zone: zone!.zone.config.zone, host: 'ood1', actor: '', runtimeType: '', incarnation: 1, linkKid: '' },
    })
    const authorities = await vault.authorities({ mount: 'pki' })
    const server = createServer({
      cert: certificate, key, minVersion: 'TLSv1.3', requestCert: true, rejectUnauthorized: false,
      ca: authorities.filter(({ kind }) => kind === 'root').map(({ pem }) => pem),
    }, (socket) => {
      socket.on('error', () => {})
      if (!socket.authorized) return void socket.destroy()
      socket.end('.')
    })
    await new Promise<void>((resolve) => server.listen(0, HERE, () => resolve()))
    server.unref()
    return (server.address() as AddressInfo).port
  }

  return {
    async boot(): Promise<Booted> {
      zone = await joiningZone()
      return { port: zone.port, barePort: await serveBare() }
    },
    async tokens(hosts: readonly string[]): Promise<Given[]> {
      const given: Given[] = []
      for (const host of hosts) {
        // On Deno a Unix socket is at times closed (EPIPE) before the request is written: a second token does no harm
        const made = await zone!.token(host).catch(() => zone!.token(host))
        given.push({ host, token: tokenFileOf(made), roots: made.roots })
      }
      return given
    },
    async sign(count: number, inFlight: number): Promise<number> {
      const { alone, requests: { pems } } = engine ??= await open()
      return timed(count, inFlight, (index) => alone.sign(pems[index % pems.length]!))
    },
    memory: (): Promise<Memory> => collected(),
    async end(): Promise<void> {
      await engine?.alone.close()
      await zone?.stop()
      removeFolders()
    },
  }
}
