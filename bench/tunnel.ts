/**
 * Calls between two hosts: a sealed link through a tunnel over mutual TLS on loopback, against unary calls of gRPC over
 * mutual TLS. Each end of each has a thread of its own; they take turns, and medians are compared.
 */
import { openPlatform } from '../runtime/platform/index.ts'
import { tlsPairs } from '../test/runtime/tls-pairs.ts'
import { interleaved } from './interleaved.ts'
import { session } from './link/token.ts'
import type { Bench, Row } from './report.ts'
import type { Contender, Setup } from './tunnel/setup.ts'
import { startThread, type Thread } from './tunnel/thread.ts'

const IN_FLIGHT = [1, 64, 512] as const
const ROUNDS = 5
const TARGET: Readonly<Record<number, number>> = { 64: 3 }
const CONTENDERS: readonly Contender[] = ['tunnel', 'grpc']

const bench: Bench = async ({ seconds, say }) => {
  const setup = await prepare()
  const threads: Thread[] = []
  const rows: Row[] = []
  try {
    const callers = {} as Record<Contender, Thread>
    for (const contender of CONTENDERS) {
      const [server, caller] = [await startThread(), await startThread()]
      threads.push(server, caller)
      await caller.ask({ type: 'dial', contender, setup, port: await server.ask({ type: 'serve', contender, setup }) })
      callers[contender] = caller
    }
    for (const inFlight of IN_FLIGHT) {
      const run = (contender: Contender) => () =>
        callers[contender].ask({ type: 'run', inFlight, ms: (seconds * 1_000) / ROUNDS })
      const { tunnel, grpc } = await interleaved(ROUNDS, { tunnel: run('tunnel'), grpc: run('grpc') })
      say(`${inFlight} in flight: tunnel ${Math.round(tunnel)}, grpc-js ${Math.round(grpc)} calls/s`)
      const target = TARGET[inFlight]
      rows.push(
        { name: 'grpc-js unary, mTLS, 200 B', inFlight, value: grpc, unit: 'calls/s' },
        {
          name: 'sealed link in a tunnel, mTLS, 200 B, against grpc-js', inFlight, value: tunnel, unit: 'calls/s',
          ratio: tunnel / grpc, ...(target === undefined ? {} : { target }),
        },
      )
    }
  } finally {
    for (const thread of threads) thread.stop()
  }
  return rows
}
export default bench

async function prepare(): Promise<Setup> {
  const { keys, random, clock } = await openPlatform()
  const { root, server, client } = tlsPairs()
  const key = keys.generate(random)
  return {
    root, server, client, devicePem: keys.generate(random).exportPem(),
    token: session(key, Math.floor(clock.now() / 1_000)), tokenKey: key.public.jwk,
  }
}
