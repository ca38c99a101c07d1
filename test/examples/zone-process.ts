/**
 * A process with two actors: `stop` stops them again, `serve` leaves them running, `throw` fails while they run, `loop`
 * lets one loop and the other exit, and tells when both serve again.
 */
import process from 'node:process'
import { limits, supervise, worker } from '../../runtime/index.ts'
import { Unruly, UnrulyToo } from './unruly-protocol.ts'

const zone = await supervise([
  worker(Unruly, new URL('./unruly.ts', import.meta.url)),
  worker(UnrulyToo, new URL('./unruly-too.ts', import.meta.url)),
])
const clients = [zone.get(Unruly), zone.get(UnrulyToo)] as const
const incarnations = (withinMs: number): Promise<number[]> =>
  Promise.all(clients.map((client) => client.incarnation({}, { withinMs })))
const before = await incarnations(5_000)
console.log('serving')
if (process.argv[2] === 'stop') await zone.stop()
if (process.argv[2] === 'throw') throw new Error('Planted')
if (process.argv[2] === 'loop') {
  const reasons: string[] = []
  zone.trace.on('actor', ({ actor, state, reason }) => {
    if (state === 'died') reasons.push(`${actor}: ${reason}`)
  })
  clients[0].fail({ how: 'loop' })
  clients[1].fail({ how: 'exit' })
  const withinMs = limits.heartbeatSilenceMs + 5_000
  // What is pending as they die fails; what comes later finds the next incarnations
  await Promise.allSettled(clients.map((client) => client.incarnation({}, { withinMs })))
  const after = await incarnations(withinMs)
  console.log(reasons.sort().join('\n'))
  console.log(after.every((incarnation, index) => incarnation > before[index]!) ? 'serving again' : 'not restarted')
  // A loop is abandoned, but not ended, by Deno (denoland/deno#35657)
  process.exit(0)
}
