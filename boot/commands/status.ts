import type { Command } from 'commander'
import { kv, readRecord } from '../../actors/records.ts'
import { BootConfig } from '../../actors/system-config/protocol.ts'
import { readHosts, type SeenHost } from '../client/hosts.ts'
import { certificateSummary, readNodes, type CertificateSummary, type NodeEntry } from '../client/certificates.ts'
import { getItem } from '../client/kv.ts'
import { unlessRefused } from '../client/refused.ts'
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
  const [hosts, services, boot, ready, certificates] = await Promise.all([
    readHosts(client), readServices(client), getItem(client, kv.bootConfig), client.statusOf('/readyz'),
    unlessRefused(certificateSummary(client)),
  ])
  const watched = services.some(({ spec }) => spec.name === 'node-monitor' && spec.state !== 'stopped')
  const nodes = watched ? await unlessRefused(readNodes(client)) : null
  const { zone, epoch } = readRecord(BootConfig, kv.bootConfig, boot?.value ?? '')
  const { endpoint, url } = client.located
  const seen = services.map((service) => summary(service, hosts))
  const problems = [
    ...(ready === 200 ? [] : [`/readyz answers ${ready}`]),
    ...hosts.filter(({ state, remote }) => !remote && state !== 'serving')
      .map(({ host, state }) => `host ${host} is ${state}`),
    ...hosts.flatMap((host) => failedActors(host, seen.filter(({ placed }) => placed.includes(host.host)))),
    ...hosts.flatMap(waitingActors),
    ...seen.filter(({ healthy }) => !healthy).map(({ name, serving, wantedServing, reason }) =>
      `service ${name}: ${serving} of ${wantedServing} serving${reason === '' ? '' : `: ${reason}`}`),
    ...(certificates ? certificateProblems(certificates, client.platform.clock.now()) : []),
    ...(nodes ?? []).filter(({ state }) => state === 'down').map(({ name }) => `host ${name} tells nothing of itself`),
    ...silenceProblems(nodes ?? []),
  ]
  return {
    zone, epoch, url, healthy: problems.length === 0, ready: ready === 200,
    uptimeMs: endpoint ? Math.max(0, Math.round(client.platform.clock.now() - endpoint.startedAt)) : null,
    hosts: hosts.map(({ host, role, state, remote }) => ({ host, role, state, remote })),
    services: seen.map(({ name, wanted, wantedServing, serving, healthy }) =>
      ({ name, wanted, replicas: wantedServing, serving, healthy })),
    certificates: certificates && {
      valid: Object.values(certificates.counts).reduce((sum, { valid }) => sum + valid, 0),
      expiring: certificates.expiring.map(({ mount, serial, subject, notAfter, urgency }) =>
        ({ mount, serial, subject, notAfter, urgency })),
      next: certificates.next,
    },
    nodes: nodes && nodes.map(({ name, state, lastSeen }) => ({ name, state, lastSeen })),
    problems,
  }
}

/** Where most are silent it is as likely that nobody is heard here. */
function silenceProblems(nodes: readonly NodeEntry[]): readonly string[] {
  const silent = nodes.filter(({ state }) => state === 'down').length
  return 2 * silent > nodes.length
    ? [`${silent} of ${nodes.length} hosts are silent: more than half, so that no service is moved for it`] : []
}

/** What is only due is being renewed; what is urgent was not. */
function certificateProblems({ expiring, authorities }: CertificateSummary, now: number): readonly string[] {
  const isPressing = ({ urgency }: { readonly urgency: string | null }): boolean =>
    urgency === 'urgent' || urgency === 'ended'
  const when = (notAfter: number): string => (notAfter > now ? `ends in ${duration(notAfter - now)}` : 'has ended')
  return [
    ...authorities.filter(isPressing).map(({ mount, kind, notAfter }) => `the ${kind} of ${mount} ${when(notAfter)}`),
    ...expiring.filter(isPressing).slice(0, PROBLEMS_SHOWN)
      .map(({ mount, subject, notAfter }) => `the certificate ${subject} of ${mount} ${when(notAfter)}`),
  ]
}
const PROBLEMS_SHOWN = 5

/** Nothing has failed that waits for its store, but what it is waited for does not serve. */
const waitingActors = ({ host, actors }: SeenHost): readonly string[] => actors
  .filter(({ state, reason }) => (state === 'starting' || state === 'restarting') && reason !== '')
  .map(({ name, reason }) => `${host}/${name} is not back yet: ${reason}`)

/** What has failed and is wanted there: by the host itself, or as a service. */
const failedActors = ({ host, actors }: SeenHost, wanted: readonly { readonly name: string }[]): readonly string[] =>
  actors
    .filter(({ name, state, managed }) => state === 'failed' && (!managed || wanted.some((each) => each.name === name)))
    .map(({ name, reason }) => `${host}/${name} failed: ${reason}`)

function linesOf(status: Status, style: Style): readonly string[] {
  const { zone, epoch, url, healthy, ready, uptimeMs, hosts, services, certificates, nodes, problems } = status
  const serving = hosts.filter(({ state }) => state === 'serving').length
  const wanted = services.filter(({ replicas }) => replicas > 0)
  const valid = `${certificates?.valid ?? 0} valid`
  const renewals = certificates?.expiring.length ?? 0
  const rows = [
    ['zone', `${zone}, epoch ${epoch}`], ['at', url],
    ...(uptimeMs === null ? [] : [['up for', duration(uptimeMs)] as const]),
    ['hosts', `${serving} of ${hosts.length} serving`],
    ['services', `${wanted.filter((each) => each.healthy).length} of ${wanted.length} serving as wanted`],
    ...(nodes ? [['heard of', `${nodes.filter(({ state }) => state === 'up').length} of ${nodes.length} hosts`]] : []),
    ...(certificates ? [['certificates', renewals === 0 ? valid : `${valid}, ${renewals} to be renewed`]] : []),
    ['ready', ready ? 'yes' : 'no'],
  ] as readonly (readonly [string, string])[]
  return [
    ...fields(rows),
    `${'state'.padEnd(certificates ? 12 : 8)}  ${healthy ? style.good('healthy') : style.bad('not healthy')}`,
    ...(problems.length === 0 ? [] : ['', ...fields(problems.map((problem) => ['', problem]))]),
  ]
}
