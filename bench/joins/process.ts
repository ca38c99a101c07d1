/** The control plane, or the hosts that join it: does what it is asked on stdin, a line of JSON each. */
import process from 'node:process'
import { createInterface } from 'node:readline'
import type { Order } from './orders.ts'
import { createHosts } from './hosts.ts'
import { createZone } from './zone.ts'

const [hosts, zone] = [createHosts(), createZone()]

async function run(order: Order): Promise<unknown> {
  switch (order.type) {
    case 'boot': return zone.boot()
    case 'tokens': return zone.tokens(order.hosts)
    case 'sign': return zone.sign(order.count, order.inFlight)
    case 'spent': {
      const { user, system } = process.cpuUsage()
      return user + system
    }
    case 'memory': return zone.memory()
    case 'join': return hosts.join(order.port, order.given, order.inFlight)
    case 'handshakes': return hosts.handshakes(order.port, order.count, order.inFlight)
    case 'dial': return hosts.dial(order.port, order.count)
    case 'end': {
      hosts.end()
      await zone.end()
      return 0
    }
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const answer = await run(JSON.parse(line) as Order).then(
    (value) => ({ value: value ?? null }),
    (error: unknown) => ({ error: error instanceof Error ? error.stack ?? error.message : String(error) }),
  )
  process.stdout.write(`${JSON.stringify(answer)}\n`)
}
process.exit(0)
