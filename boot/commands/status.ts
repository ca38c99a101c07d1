import type { Command } from 'commander'
import { kv, readRecord } from '../../actors/records.ts'
import { BootConfig } from '../../actors/system-config/protocol.ts'
import type { HostState } from '../../runtime/supervision.ts'
import { readHosts } from '../client/hosts.ts'
import { getItem } from '../client/kv.ts'
import { readServices } from '../client/services.ts'
import type { ZoneClient } from '../client/zone-client.ts'
import { NotHealthy } from '../errors.ts'
import { jsonLine } from '../printable.ts'
import { styleOf, type Style } from '../render.ts'
import { duration, fields } from '../table.ts'
import type { Terminal } from '../terminal.ts'
import { command } from './command.ts'
import { connect, connectOptions, type ConnectOptions } from './connect.ts'
import { summary } from './services.ts'

export function statusCommand(terminal: Terminal): Command {
  return connectOptions(command(terminal, 'status', {
    description: 'Show whether a running zone is healthy; the exit code says it as well',
    examples: ['status', 'status --json', 'status > /dev/null && echo healthy'],
  })).action(async (options: ConnectOptions) => {
    const client = await connect(terminal, options)
    const status = await statusOf(client)
    if (options.json) terminal.out(jsonLine(status))
    else for (const line of linesOf(status, styleOf(terminal.colours))) terminal.out(line)
    if (status.healthy) return
    const next = `${terminal.invocation} ps, ${terminal.invocation} logs --level warn`
    throw new NotHealthy(`The zone is not healthy: ${status.problems.join('; ')}`, { next, shown: true })
  })
}

type Status = Awaited<ReturnType<typeof statusOf>>

async function statusOf(client: ZoneClient) {
  const [hosts, services, boot, ready] = await Promise.all([
    readHosts(client), readServices(client), getItem(client, kv.bootConfig), client.statusOf('/readyz'),
  ])
  const { zone, epoch } = readRecord(BootConfig, kv.bootConfig, boot?.value ?? '')
  const { endpoint, url } = client.located
  const seen = services.map((service) => summary(service, hosts))
  const problems = [
    ...(ready === 200 ? [] : [`/readyz answers ${ready}`]),
    ...hosts.filter(({ state }) => state !== 'serving').map(({ host, state }) => `host ${host} is ${state}`),
    ...hosts.flatMap((host) => failedActors(host, seen.filter(({ placed }) => placed.includes(host.host)))),
    ...seen.filter(({ healthy }) => !healthy).map(({ name, serving, wantedServing }) =>
      `service ${name}: ${serving} of ${wantedServing} serving`),
  ]
  return {
    zone, epoch, url, healthy: problems.length === 0, ready: ready === 200,
    uptimeMs: endpoint ? Math.max(0, Math.round(client.platform.clock.now() - endpoint.startedAt)) : null,
    hosts: hosts.map(({ host, role, state }) => ({ host, role, state })),
    services: seen.map(({ name, wanted, wantedServing, serving, healthy }) =>
      ({ name, wanted, replicas: wantedServing, serving, healthy })),
    problems,
  }
}

/** What has failed and is wanted there: by the host itself, or as a service. */
const failedActors = ({ host, actors }: HostState, wanted: readonly { readonly name: string }[]): readonly string[] =>
  actors
    .filter(({ name, state, managed }) => state === 'failed' && (!managed || wanted.some((each) => each.name === name)))
    .map(({ name, reason }) => `${host}/${name} failed: ${reason}`)

function linesOf(status: Status, style: Style): readonly string[] {
  const { zone, epoch, url, healthy, ready, uptimeMs, hosts, services, problems } = status
  const serving = hosts.filter(({ state }) => state === 'serving').length
  const wanted = services.filter(({ replicas }) => replicas > 0)
  const rows: (readonly [string, string])[] = [
    ['zone', `${zone}, epoch ${epoch}`], ['at', url],
    ...(uptimeMs === null ? [] : [['up for', duration(uptimeMs)] as const]),
    ['hosts', `${serving} of ${hosts.length} serving`],
    ['services', `${wanted.filter((each) => each.healthy).length} of ${wanted.length} serving as wanted`],
    ['ready', ready ? 'yes' : 'no'],
  ]
  return [
    ...fields(rows),
    `${'state'.padEnd(8)}  ${healthy ? style.good('healthy') : style.bad('not healthy')}`,
    ...(problems.length === 0 ? [] : ['', ...fields(problems.map((problem) => ['', problem]))]),
  ]
}
