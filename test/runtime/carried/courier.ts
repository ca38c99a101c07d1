import { actor, type ActorStart } from '../../../runtime/actor.ts'
import type { Wanted } from '../../../runtime/carrier.ts'
import { fromWire, messageOf, toWire, Unavailable, ZonewrightError } from '../../../runtime/errors.ts'
import type { TlsConnection } from '../../../runtime/platform/tls-ports.ts'
import { splice } from '../../../runtime/splice.ts'
import { firstThenRest, framed } from './frames.ts'
import { Courier } from './protocols.ts'

const ALPN = 'courier/1'

/** Whom a connection is for, and what the other host makes of that. */
type Asked = Omit<Wanted, 'host'>
type Answer = { host: string; incarnation: number } | { error: ReturnType<typeof toWire> }

export default actor(Courier, {}, async (start) => {
  const { transport, secrets, env, self } = start
  const root = secrets.root!
  let target = 0
  let streams = 0
  let lie: { host: string; incarnation: number } | undefined
  const joined = (over: Promise<unknown>): void => {
    streams++
    void over.then(() => streams--)
  }

  async function accept(connection: TlsConnection): Promise<void> {
    const channel = framed(connection)
    const { first, rest } = firstThenRest(channel)
    try {
      const { protocol, caller } = await first as Asked
      const accepted = await start.accept(protocol, caller)
      rest.send(JSON.stringify({ host: self.host, incarnation: accepted.incarnation } satisfies Answer))
      joined(splice(accepted.channel, rest))
    } catch (error) {
      const known = error instanceof ZonewrightError ? error : new Unavailable(messageOf(error))
      rest.send(JSON.stringify({ error: toWire(known) } satisfies Answer))
      rest.close('refused')
    }
  }
  const server = await transport.serveHttp({
    hostname: env.listen!, port: 0, bodyBytesMax: 1_000, requestMsMax: 1_000,
    tls: { certificate: secrets.certificate!, key: secrets.key!, least: 'TLSv1.3' },
    streams: { alpn: [ALPN], accept: (connection) => void accept(connection) },
  }, async () => ({ status: 404, headers: {}, body: '' }))

  start.carry({
    async open({ protocol, caller }, channel) {
      if (protocol === 'nobody') return new Promise(() => {})
      const connection = await transport.connectTls(
        { hostname: env.dial!, port: target, withinMs: 3_000 },
        { roots: [root], alpn: ALPN, servername: env.servername ?? env.dial! },
      )
      const { first, rest } = firstThenRest(framed(connection))
      rest.send(JSON.stringify({ protocol, caller } satisfies Asked))
      const answer = await first as Answer
      if ('error' in answer) throw fromWire(answer.error)
      const over = splice(channel, rest)
      joined(over)
      return { ...answer, ...lie, gone: over.then(() => {}) }
    },
  })
  return {
    handlers: {
      listen: () => server.port,
      dial({ port }) {
        target = port
        return {}
      },
      lie(told) {
        lie = told.host === '' ? undefined : told
        return {}
      },
      again() {
        try {
          start.carry({ open: () => new Promise(() => {}) })
          return 'allowed'
        } catch (error) {
          return (error as Error).name
        }
      },
      streams: () => streams,
      ask: ({ protocol, host }) => asked(start, protocol, host),
      die: () => start.background(async () => { throw new Error('Planted') }),
    },
    lifecycle: { stop: () => server.close(0) },
  }
})

async function asked({ accept }: ActorStart<{}>, protocol: string, host: string): Promise<string> {
  try {
    const accepted = await accept(protocol, { host, actor: 'desk', incarnation: 1 })
    accepted.release()
    return `accepted ${accepted.incarnation > 0}`
  } catch (error) {
    return `${(error as Error).name}: ${messageOf(error)}`
  }
}
