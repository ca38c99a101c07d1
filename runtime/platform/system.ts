import dns from 'node:dns/promises'
import process from 'node:process'
import { moveTo, openStore, probe } from '../store/open.ts'
import { systemClock } from './clock.ts'
import { createCrypto } from './crypto.ts'
import { openFolder } from './files.ts'
import { serveHttp } from './http.ts'
import { connectHttp, httpRequest } from './http-client.ts'
import { openTls } from './tls-connection.ts'
import { spawnProcess } from './process.ts'
import { machine } from './machine.ts'
import { portChannel, type Port } from './port-channel.ts'
import type { Cancel, Host, Platform, ProcessUsage } from './ports.ts'
import { systemRandom } from './random.ts'
import { serveDatagrams, serveStreams } from './sockets.ts'
import { tcp } from './tcp.ts'

/** Longer than any process lives; only its being there counts. */
const HOLD_MS = 2 ** 31 - 1

const lookup = (name: string): Promise<readonly string[]> =>
  dns.lookup(name, { all: true }).then((found) => found.map(({ address }) => address), () => [])

function hold(): Cancel {
  const timer = setInterval(() => {}, HOLD_MS)
  return () => clearInterval(timer)
}

function usage(): ProcessUsage {
  const { rss, heapUsed } = process.memoryUsage()
  const { user, system } = process.cpuUsage()
  return { residentBytes: rss, heapBytes: heapUsed, cpuSeconds: (user + system) / 1_000_000 }
}

/** What Node and Deno have in common; each adds its workers. */
export async function systemPlatform(
  runtime: string, workers: Pick<Host, 'spawn' | 'restrictsWorkers'> & Pick<Platform, 'channelPair'>,
): Promise<Platform> {
  return {
    clock: systemClock,
    random: systemRandom,
    keys: await createCrypto(runtime.startsWith('deno') ? 'hmac-sha-256' : 'aes-gmac'),
    host: {
      runtime, processId: process.pid, openFolder, env: (name) => process.env[name], lookup, hold, spawn: workers.spawn,
      restrictsWorkers: workers.restrictsWorkers,
      spawnProcess, machine, usage,
    },
    transport: { serveHttp, request: httpRequest, connectHttp, connectTls: openTls, serveDatagrams, serveStreams, tcp },
    channelPair: workers.channelPair,
    openChannel: (end) => portChannel(end as Port),
    stores: (location) => ({
      open: (name) => openStore(location, name, { clock: systemClock, random: systemRandom }),
      ...(location.type === 'etcd' && {
        take: (name, store, options) => moveTo(store, location, name, options),
        probe: (name, source) => probe(location, name, source, systemClock),
      }),
    }),
  }
}
