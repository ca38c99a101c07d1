/**
 * A hundred hosts join one OOD over TLS 1.3, 25 at a time, by tokens that were made before: the zone in a process of
 * its own as `up` runs it, the hosts in one thread of another by the client of `zonewright join`. Against what one
 * mutual handshake and one certificate take, added: bare `node:tls` between the same two processes with certificates by
 * the same authorities, and the vault's engine alone, durable. By time, and by the processor time of both processes,
 * which others on the machine take little from, less what an idle zone takes. Then what a joined host costs the OOD
 * that holds its tunnel.
 */
import { loadavg } from 'node:os'
import { interleaved, median } from './interleaved.ts'
import { startChild, type Child } from './joins/child.ts'
import type { Booted, Given, Memory, Order } from './joins/orders.ts'
import type { Bench, Row } from './report.ts'

const HOSTS = 100
const IN_FLIGHT = 25
/** A minute's join requests of one address (`limits.enrolmentPerSource`) are enough for two, and one that warms up. */
const ROUNDS = 2
const HANDSHAKES = 300
const CERTIFICATES = 400
const SHARE_MIN = 0.5
/** What a join sets off in the zone may come after its answer, and counts. */
const SETTLE_MS = 1_500
const MB = 1024 * 1024

const bench: Bench = async ({ say }) => {
  const [zone, hosts] = [startChild(), startChild()]
  const both = [zone, hosts]
  try {
    const { port, barePort } = await zone.ask<Booted>({ type: 'boot' })
    const batches: Given[][] = []
    for (let round = 0; round <= ROUNDS; round++) {
      const names = Array.from({ length: HOSTS }, (_, index) => `host${round}-${index}`)
      batches.push(await zone.ask<Given[]>({ type: 'tokens', hosts: names }))
    }
    const spent: Record<'join' | 'handshake' | 'sign', number[]> = { join: [], handshake: [], sign: [] }
    const measured = async (what: keyof typeof spent, count: number, child: Child, order: Order): Promise<number> => {
      const idle = await spentBy(both)
      await new Promise((resolve) => setTimeout(resolve, SETTLE_MS))
      const before = await spentBy(both)
      const began = performance.now()
      const micros = await child.ask<number>(order)
      if (what === 'join') await new Promise((resolve) => setTimeout(resolve, SETTLE_MS))
      const meanwhile = (before - idle) * (performance.now() - began) / SETTLE_MS
      spent[what].push((await spentBy(both) - before - meanwhile) / count)
      return micros
    }
    const micros = await interleaved(ROUNDS, {
      join: () => measured('join', HOSTS, hosts, { type: 'join', port, given: batches.shift()!, inFlight: IN_FLIGHT }),
      handshake: () => measured('handshake', HANDSHAKES, hosts, {
        type: 'handshakes', port: barePort, count: HANDSHAKES, inFlight: IN_FLIGHT,
      }),
      sign: () => measured('sign', CERTIFICATES, zone, { type: 'sign', count: CERTIFICATES, inFlight: IN_FLIGHT }),
    })
    const cpu = {
      join: median(spent.join.slice(1)), handshake: median(spent.handshake.slice(1)), sign: median(spent.sign.slice(1)),
    }
    say(`a join takes ${told(micros.join, cpu.join)}, a handshake ${told(micros.handshake, cpu.handshake)}, a `
      + `certificate ${told(micros.sign, cpu.sign)}; load ${loadavg().map((value) => value.toFixed(1)).join(' ')}`)
    return [...rowsOf(micros, cpu), ...await tunnels(zone, hosts, port, say)]
  } finally {
    await Promise.all(both.map((child) => child.end()))
  }
}
export default bench

type Each = Readonly<Record<'join' | 'handshake' | 'sign', number>>

const told = (micros: number, cpu: number): string =>
  `${(micros / 1_000).toFixed(2)} ms (processor ${(cpu / 1_000).toFixed(2)})`

async function spentBy(children: readonly Child[]): Promise<number> {
  const each = await Promise.all(children.map((child) => child.ask<number>({ type: 'spent' })))
  return each.reduce((sum, micros) => sum + micros, 0)
}

function rowsOf(micros: Each, cpu: Each): readonly Row[] {
  const perSecond = (each: number): number => 1_000_000 / each
  const inFlight = IN_FLIGHT
  return [
    { name: 'bare TLS 1.3 handshakes, mutual', inFlight, value: perSecond(micros.handshake), unit: 'handshakes/s' },
    { name: 'engine of the vault alone, durable', inFlight, value: perSecond(micros.sign), unit: 'certificates/s' },
    {
      name: 'joins, against one of each', inFlight, value: perSecond(micros.join), unit: 'joins/s',
      ratio: (micros.handshake + micros.sign) / micros.join, target: SHARE_MIN,
    },
    // One before the host has a certificate and one that shows it: a join cannot do with fewer
    {
      name: 'joins, against two handshakes and one certificate', inFlight, value: perSecond(micros.join),
      unit: 'joins/s', ratio: (2 * micros.handshake + micros.sign) / micros.join,
    },
    {
      name: 'joins by processor time, against one of each', inFlight, value: perSecond(cpu.join), unit: 'joins/s',
      ratio: (cpu.handshake + cpu.sign) / cpu.join,
    },
    {
      name: 'the same, against two handshakes and one certificate', inFlight, value: perSecond(cpu.join),
      unit: 'joins/s', ratio: (2 * cpu.handshake + cpu.sign) / cpu.join,
    },
  ]
}

/** Hosts that joined, each with a tunnel that nothing runs through. */
async function tunnels(
  zone: Child, hosts: Child, port: number, say: (line: string) => void,
): Promise<readonly Row[]> {
  const before = await zone.ask<Memory>({ type: 'memory' })
  const dial = await hosts.ask<number>({ type: 'dial', port, count: HOSTS })
  const after = await zone.ask<Memory>({ type: 'memory' })
  const kb = (bytes: number): number => bytes / HOSTS / 1_024
  say(`the OOD has ${(before.rssBytes / MB).toFixed(0)} MB, and ${(after.rssBytes / MB).toFixed(0)} MB with tunnels`)
  return [
    { name: 'tunnels of hosts that joined', inFlight: 16, value: 1_000_000 / dial, unit: 'tunnels/s' },
    { name: 'resident memory of a held tunnel', value: kb(after.rssBytes - before.rssBytes), unit: 'KB' },
    ...(before.heapBytes === undefined || after.heapBytes === undefined ? [] : [
      { name: 'heap of a held tunnel', value: kb(after.heapBytes - before.heapBytes), unit: 'KB' },
    ]),
  ]
}
