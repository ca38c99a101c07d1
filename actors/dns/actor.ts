import { actor } from '../../runtime/actor.ts'
import { limits } from '../../runtime/limits.ts'
import { PortInUse } from '../../runtime/errors.ts'
import type { SocketServer } from '../../runtime/platform/socket-ports.ts'
import { pause } from '../../runtime/within.ts'
import { follow } from '../follow.ts'
import { Gateway } from '../gateway/protocol.ts'
import { NodeDaemon } from '../node-daemon/protocol.ts'
import { openSession } from '../session.ts'
import { SystemConfig } from '../system-config/protocol.ts'
import { VerifyHub } from '../verify-hub/protocol.ts'
import { answer } from './answer.ts'
import { encodeFault, rcode } from './codec.ts'
import { namesOf, type Names } from './names.ts'
import { Dns } from './protocol.ts'
import { Rates } from './rate.ts'
import { converse } from './stream.ts'
import { addressOf, followed, zoneRecords } from './zone.ts'

const APPID = 'dns'
/** Ports that are tried until one is free for UDP and TCP alike, where any will do. */
const FREE_PORTS_TRIED = 8

/** The zone's names by DNS, and no others: authoritative, by UDP and TCP at one port. It asks nobody for anybody. */
export default actor(Dns, {
  needs: { systemConfig: SystemConfig, verifyHub: VerifyHub, nodeDaemon: NodeDaemon, gateway: Gateway },
  // Names stay what they were while it is away
  servesWithout: ['gateway'],
  stateless: true,
}, async (start) => {
  const { needs, transport, clock, random, env, log, stopping, background, step, self, count } = start
  const session = await openSession({
    clock, random, env, needs, appid: APPID, audiences: ['system-config'], stopping, background, step,
  })
  const config = new Map<string, string>()
  let revision = 0
  let names: Names = namesOf({
    zone: self.zone, revision, hosts: [], gateways: [], gatewayPort: undefined, apps: [], server: self.host,
  })
  let gateway: { hostname: string; port: number } | undefined
  const rebuild = async (): Promise<void> => {
    gateway = await needs.gateway.address({}, { withinMs: limits.gatewayCallMs }).catch(() => gateway)
    const { hosts, apps, gateways } = zoneRecords(config, ({ message }) => log.warn(message))
    const addressesOf = (host: string): readonly string[] => {
      const own = host === self.host && gateway ? addressOf(gateway.hostname) : undefined
      return own ?? hosts.find(({ name }) => name === host)?.addresses ?? []
    }
    names = namesOf({
      zone: self.zone, revision, hosts, apps, gateways: [...new Set(gateways.flatMap(addressesOf))],
      gatewayPort: gateway?.port, server: self.host,
    })
  }
  let waiting = false
  /** Many changes are read once. */
  const changed = (): void => {
    if (waiting) return
    waiting = true
    clock.after(limits.dnsSettleMs, () => {
      waiting = false
      void rebuild()
    })
  }

  const rates = new Rates()
  const counted = (by: 'udp' | 'tcp', message: Uint8Array): Uint8Array | undefined => {
    const { outcome, bytes } = answer(message, names, by)
    count(`dns_queries_total{transport="${by}",outcome="${outcome}"}`)
    return bytes
  }
  let refused = 0
  /** Half of what is too much is told to ask by TCP, where nobody can ask in another's name; the rest gets nothing. */
  const tooMany = (message: Uint8Array): Uint8Array | undefined => {
    count('dns_queries_total{transport="udp",outcome="limited"}')
    if (refused++ % 2 === 0 || message.length < 12 || (message[2]! & 0x80) !== 0) return undefined
    const short = encodeFault((message[0]! << 8) | message[1]!, 0, rcode.none)
    short[2] = short[2]! | 2
    return short
  }
  const byDatagram = (message: Uint8Array, from: string): Uint8Array | undefined => {
    if (message.length > limits.dnsQueryBytes) return undefined
    return rates.admits(from, clock.monotonic()) ? counted('udp', message) : tooMany(message)
  }
  const connections = new Map<string, number>()
  async function* byStream(pieces: AsyncIterable<Uint8Array>, from: string): AsyncIterable<Uint8Array> {
    const open = connections.get(from) ?? 0
    if (open >= limits.dnsConnectionsPerAddress) return
    connections.set(from, open + 1)
    try {
      yield* converse(pieces, (message) => counted('tcp', message))
    } finally {
      const left = connections.get(from)! - 1
      if (left === 0) connections.delete(from)
      else connections.set(from, left)
    }
  }
  const hostname = env['ZONEWRIGHT_DNS_HOSTNAME'] ?? '127.0.0.1'
  const asked = Number(env['ZONEWRIGHT_DNS_PORT'] ?? 0)
  const listen = async (): Promise<readonly SocketServer[]> => {
    const datagrams = await transport.serveDatagrams({ hostname, port: asked }, byDatagram)
    try {
      const { dnsConnections: connectionsMax, dnsIdleMs: idleMs } = limits
      const options = { hostname, port: datagrams.port, connectionsMax, idleMs }
      return [datagrams, await transport.serveStreams(options, byStream)]
    } catch (error) {
      await datagrams.close()
      throw error
    }
  }
  const listenSomewhere = async (): Promise<readonly SocketServer[]> => {
    for (let attempt = 1; ; attempt++) {
      try {
        return await listen()
      } catch (error) {
        if (asked !== 0 || !(error instanceof PortInUse) || attempt === FREE_PORTS_TRIED) throw error
      }
    }
  }

  let toKnow: number = followed.length
  const known = new Set<string>()
  const onBegin = (prefix: string): void => {
    if (known.has(prefix)) return
    known.add(prefix)
    toKnow--
  }
  const first = new Promise<void>((resolve) => {
    for (const { prefix, leaves } of followed) {
      background(() => follow({
        start, systemConfig: needs.systemConfig, session, prefix, leaves,
        onBegin(items, at) {
          for (const key of config.keys()) if (key.startsWith(prefix)) config.delete(key)
          for (const { key, value } of items) config.set(key, value)
          revision = Math.max(revision, at)
          onBegin(prefix)
          if (toKnow === 0) resolve()
          changed()
        },
        onEvent(event) {
          if (event.type === 'delete') config.delete(event.key)
          else config.set(event.key, event.value)
          revision = Math.max(revision, event.revision)
          changed()
        },
      }))
    }
  })
  // Before it serves anybody: of a zone that it has not read, every name would be missing
  await first
  await rebuild()
  // The gateway may come back elsewhere without a change of config
  background(async () => {
    while (!stopping.aborted) {
      await pause(clock, limits.convergeRoundMs, stopping)
      await rebuild()
    }
  })
  const servers = await listenSomewhere()
  const { port } = servers[0]!
  log.info('DNS serves the names of the zone', { hostname, port, revision })

  return {
    handlers: { address: () => ({ hostname, port, revision }) },
    lifecycle: {
      admit: (peer) => peer.host === self.host,
      stop: async () => void await Promise.all(servers.map((server) => server.close())),
    },
  }
})
