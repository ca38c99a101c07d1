import type { ActorStart } from '../../../runtime/actor.ts'
import { messageOf, Overloaded, Unavailable } from '../../../runtime/errors.ts'
import { limits } from '../../../runtime/limits.ts'
import type { TcpConnection } from '../../../runtime/platform/tcp-ports.ts'
import { tcpChannel } from '../../../transport/tcp.ts'
import { splice } from '../../../transport/tunnel/splice.ts'
import { localWayPath } from '../protocol.ts'
import type { Ways } from './ways.ts'

/** For programs of other hosts that this host's gateway is asked for: sockets, of which each leads to one of them. */
export interface LocalWays {
  /** @returns the absolute path of a Unix socket @throws Unavailable, Overloaded */
  to(wanted: LocalWanted): Promise<string>
  close(): Promise<void>
}

/** A service, the other host that it is on, and its port there. */
export interface LocalWanted {
  readonly service: string
  readonly host: string
  readonly port: number
}

interface Local {
  readonly key: string
  readonly path: string
  /** By the monotonic clock: when somebody was told of it last. */
  toldMs: number
  open: number
  close(): Promise<void>
}

export function createLocalWays({ start: { clock, transport, log }, folder, ways }: {
  readonly start: Pick<ActorStart, 'clock' | 'transport' | 'log'>
  /** Of mode 0700. */
  readonly folder: string
  readonly ways: Pick<Ways, 'reach' | 'leadsTo'>
}): LocalWays {
  const locals: Local[] = []
  /** One change at a time: a socket is not made twice. */
  let changing: Promise<unknown> = Promise.resolve()

  const lead = async (connection: TcpConnection, local: Local, { service, host, port }: LocalWanted): Promise<void> => {
    const here = tcpChannel(connection)
    const late = new AbortController()
    const cancel = clock.after(limits.httpStreamConnectMs, () => late.abort())
    local.open++
    try {
      const { channel } = await ways.reach({ type: 'http', service, port }, [host], undefined, late.signal)
      splice(here, channel, () => void local.open--)
    } catch (error) {
      local.open--
      log.warn(`No way to ${service} on ${host}: ${messageOf(error)}`)
      here.close('there is no way')
    } finally {
      cancel()
    }
  }
  const listen = async (index: number, key: string, wanted: LocalWanted): Promise<Local> => {
    const path = localWayPath(folder, index)
    const local: Local = { key, path, toldMs: 0, open: 0, close: () => Promise.resolve() }
    const { close } = await transport.tcp!.listen({
      hostname: '', port: 0, socket: path, connectionsMax: limits.forwards,
    }, (connection) => void lead(connection, local, wanted))
    local.close = close
    return local
  }
  /** A new place, or that of one that nobody uses any more. */
  const make = async (key: string, wanted: LocalWanted): Promise<Local> => {
    let index = locals.length
    if (index >= limits.localWays) {
      const now = clock.monotonic()
      const idle = locals.filter(({ open, toldMs }) => open === 0 && now - toldMs > limits.localWayMs)
      const oldest = idle.reduce((a, b) => (b.toldMs < a.toldMs ? b : a), idle[0]!)
      if (!oldest) throw new Overloaded(`Services of other hosts are asked for, more at once than ${limits.localWays}`)
      index = locals.indexOf(oldest)
      // Nobody finds it any more, whatever becomes of the next one
      locals[index] = { ...oldest, key: '', toldMs: -Infinity, open: 0, close: () => Promise.resolve() }
      await oldest.close()
    }
    return locals[index] = await listen(index, key, wanted)
  }
  const find = async (wanted: LocalWanted): Promise<string> => {
    const key = JSON.stringify([wanted.service, wanted.host, wanted.port])
    const local = locals.find((one) => one.key === key) ?? await make(key, wanted)
    local.toldMs = clock.monotonic()
    return local.path
  }
  return {
    async to(wanted) {
      const { host } = wanted
      if (!transport.tcp || !ways.leadsTo(host)) throw new Unavailable(`Nothing here leads to ${host}`, { host })
      const found = changing.then(() => find(wanted))
      changing = found.catch(() => {})
      return found
    },
    async close() {
      await changing
      await Promise.all(locals.map((local) => local.close()))
    },
  }
}
