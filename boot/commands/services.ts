import type { Command } from 'commander'
import { kv, ServiceSpec } from '../../actors/records.ts'
import { readDocument } from '../client/document.ts'
import { readHosts, type SeenHost } from '../client/hosts.ts'
import { createKey } from '../client/kv.ts'
import { actualOf, changeSpec, noSuchService, readService, readServices, type Service } from '../client/services.ts'
import type { ZoneClient } from '../client/zone-client.ts'
import { Usage } from '../errors.ts'
import { printable } from '../printable.ts'
import { styleOf, type Style } from '../render.ts'
import { fields, table, type Cell, type Column } from '../table.ts'
import type { Terminal } from '../terminal.ts'
import { command, group } from './command.ts'
import { connect, connectOptions, show, type ConnectOptions } from './connect.ts'
import { textFile } from './files.ts'
import { timeoutOption } from './kill.ts'
import { age, stateCell } from './ps.ts'
import { waitFor, type Waiting } from './services-wait.ts'

export function servicesCommand(terminal: Terminal): Command {
  return group(terminal, 'services', {
    description: 'Show and change what a running zone runs',
    examples: ['services', 'services show service', 'services add ./web.yaml', 'services restart service'],
  }, [
    showCommand(terminal), addCommand(terminal), ...changes.map((change) => changeCommand(terminal, change)),
  ]).addCommand(listCommand(terminal), { isDefault: true })
}

const COLUMNS: readonly Column[] = [
  { head: 'service' }, { head: 'wanted' }, { head: 'serving', align: 'right' }, { head: 'runs as' }, { head: 'where' },
]

function listCommand(terminal: Terminal): Command {
  return connectOptions(command(terminal, 'list', {
    description: 'Show each service as it is wanted, and as it is',
    examples: ['services', 'services list --json'],
  })).action(async (options: ConnectOptions) => {
    const client = await connect(terminal, options)
    const [services, hosts] = await Promise.all([readServices(client), readHosts(client)])
    const style = styleOf(terminal.colours)
    show(terminal, options, { services: services.map((service) => summary(service, hosts)) }, () =>
      table(COLUMNS, services.map((service) => row(service, hosts, style)), terminal.columns, style))
  })
}

export function summary(service: Service, hosts: readonly SeenHost[]) {
  const { spec, revision, hosts: placed } = service
  const { wanted, serving, ok, at } = actualOf(service, hosts)
  return {
    name: spec.name, wanted: spec.state ?? 'running', replicas: spec.replicas ?? 1, wantedServing: wanted, serving,
    healthy: ok, placed, missing: service.info.missing ?? 0, reason: service.info.reason ?? '', revision,
    generation: spec.generation ?? 0, runtimeType: spec.runtimeType,
    hosts: at.map(({ host, actor }) => ({
      host, state: actor.state, since: actor.since, restarts: actor.restarts, incarnation: actor.incarnation,
      reason: actor.reason, processId: actor.processId,
    })),
  }
}

function row(service: Service, hosts: readonly SeenHost[], style: Style): readonly Cell[] {
  const { spec } = service
  const { wanted, serving, ok, at } = actualOf(service, hosts)
  const app = spec.replicas === 0
  const where = at.filter(({ actor }) => actor.state !== 'stopped').map(({ host, actor }) =>
    (actor.state === 'serving' ? host : `${host}: ${actor.state}`))
  return [
    { text: spec.name, paint: style.bold }, { text: app ? 'by people' : spec.state ?? 'running' },
    { text: app ? '' : `${serving}/${wanted}`, paint: ok ? style.good : style.bad },
    { text: app ? 'app' : spec.run ? 'process' : 'worker' }, { text: where.join(', ') },
  ]
}

function showCommand(terminal: Terminal): Command {
  return connectOptions(command(terminal, 'show', {
    description: 'Show one service: its spec, and its state on each host',
    examples: ['services show service', 'services show web --json'],
  })).argument('<name>').action(async (name: string, options: ConnectOptions) => {
    const client = await connect(terminal, options)
    const [service, hosts] = await Promise.all([readService(client, nameOf(name)), readHosts(client)])
    if (!service) throw noSuchService(name)
    const style = styleOf(terminal.colours)
    show(terminal, options, { ...summary(service, hosts), spec: service.spec }, () => [
      ...fields(Object.entries(service.spec).map(([field, value]) =>
        [field, typeof value === 'string' ? value : JSON.stringify(value)])),
      ...fields([
        ['placed on', service.hosts.map((host) => placedAs(host, service.info.states?.[host])).join(', ') || 'no host'],
        ...(service.info.missing ? [['without a host', String(service.info.missing)] as const] : []),
        ...(service.info.reason ? [['because', service.info.reason] as const] : []),
      ]),
      '',
      ...table(STATES, actualOf(service, hosts).at.map(({ host, actor }) => [
        { text: host }, stateCell(actor.state, style), { text: age(actor, client.platform.clock.now()) },
        { text: String(actor.restarts) }, { text: actor.processId === null ? '' : String(actor.processId) },
        { text: actor.reason },
      ]), terminal.columns, style),
    ])
  })
}

const placedAs = (host: string, state: string | undefined): string => (state ? `${host} (${state})` : host)

const STATES: readonly Column[] = [
  { head: 'host' }, { head: 'state' }, { head: 'for', align: 'right' }, { head: 'restarts', align: 'right' },
  { head: 'process', align: 'right' }, { head: 'reason' },
]

interface ChangeOptions extends ConnectOptions {
  readonly wait: boolean
  readonly timeout: number
}

const SPEC_FORM = `Fields are ${Object.keys(ServiceSpec.entries).join(', ')}`

const SPEC_EXAMPLE = `  name: web
  appid: web
  owner: alice                # null for the zone's own
  runtimeType: service
  kernel: false
  audiences: [system-config]  # beside its own
  replicas: 1
  resources: { memoryBytes: 268435456, processors: 50 }  # of each; hundredths of a processor
  labels: { disk: ssd }       # its hosts have all of these
  spread: room                # over the values of this label
  stateful: false             # true: what it writes lies on its host, and it stays there
  run: { command: [/opt/zone/web, --port, "8080"] }
  http: { port: 8080 }        # opened by browser; with public: true by whoever comes`

function addCommand(terminal: Terminal): Command {
  return timeoutOption(connectOptions(command(terminal, 'add', {
    description: 'Add a service to the zone, and wait until it serves',
    examples: ['services add ./web.yaml', 'services add - < web.json', 'services add ./web.yaml --no-wait'],
  })))
    .argument('<file>', 'its spec, YAML or JSON; - is stdin')
    .addHelpText('after', `\nThe file:\n${SPEC_EXAMPLE}`)
    .action(async (path: string, options: ChangeOptions) => {
      const text = await textFile(terminal, path)
      const spec = readDocument(text, path === '-' ? 'stdin' : terminal.absolute(path), ServiceSpec, SPEC_FORM)
      const client = await connect(terminal, options)
      const before = options.wait ? await readHosts(client) : []
      const revision = await createKey(client, kv.spec(spec.name), JSON.stringify(spec))
      const runs = spec.state !== 'stopped' && spec.replicas !== 0
      await finish(terminal, client, options, {
        name: spec.name, verb: 'added', revision, before, want: runs ? 'serving' : 'stopped', restarted: false,
      })
    })
}

interface Change {
  readonly verb: string
  readonly done: string
  readonly description: string
  readonly want: Waiting['want']
  readonly restarted: boolean
  readonly change: (spec: ServiceSpec) => ServiceSpec | undefined
}

const changes: readonly Change[] = [
  {
    verb: 'start', done: 'started', description: 'Run a service that was stopped', want: 'serving', restarted: false,
    change: (spec) => ({ ...spec, state: 'running' }),
  },
  {
    verb: 'stop', done: 'stopped', description: 'Stop a service on every host; its spec stays', want: 'stopped',
    restarted: false, change: (spec) => ({ ...spec, state: 'stopped' }),
  },
  {
    verb: 'restart', done: 'restarted', description: 'Replace what runs of a service, on every host', want: 'serving',
    restarted: true,
    change: (spec) => ({ ...spec, state: 'running', generation: (spec.generation ?? 0) + 1 }),
  },
  {
    verb: 'remove', done: 'removed', description: 'Remove a service from the zone', want: 'stopped', restarted: false,
    change: () => undefined,
  },
]

function changeCommand(terminal: Terminal, { verb, done, description, want, restarted, change }: Change): Command {
  return timeoutOption(connectOptions(command(terminal, verb, {
    description, examples: [`services ${verb} service`, `services ${verb} service --no-wait`],
  }))).argument('<name>').action(async (text: string, options: ChangeOptions) => {
    const name = nameOf(text)
    const client = await connect(terminal, options)
    const before = options.wait ? await readHosts(client) : []
    const { before: service, revision } = await changeSpec(client, name, change)
    const nothing = service.spec.replicas === 0 && want === 'serving'
    await finish(terminal, client, nothing ? { ...options, wait: false } : options, {
      name, verb: done, revision, before, want, restarted,
    })
  })
}

/** One segment of a key: a slash would name another. @throws Usage */
function nameOf(text: string): string {
  if (/^[a-z0-9][a-z0-9_-]*$/.test(text)) return text
  throw new Usage(`It is not the name of a service: ${text}`, { next: 'Names are of a to z, 0 to 9, - and _' })
}

async function finish(
  terminal: Terminal, client: ZoneClient, options: ChangeOptions,
  done: Pick<Waiting, 'name' | 'want' | 'restarted' | 'before'> & { readonly verb: string; readonly revision: number },
): Promise<void> {
  const { verb, revision, ...waiting } = done
  const { name, want } = waiting
  const style = styleOf(terminal.colours)
  const said = `${printable(name)} ${verb} at revision ${revision}`
  if (!options.wait) return show(terminal, options, { name, revision }, () => [said])
  if (!options.json) terminal.out(said)
  const hosts = await waitFor(client, {
    ...waiting, withinMs: options.timeout * 1000,
    next: `${terminal.invocation} services show ${name}, ${terminal.invocation} logs ${name}`,
    tell: (line) => { if (!options.json) terminal.out(line) },
  })
  show(terminal, options, { name, revision, state: want, hosts }, () => [want === 'serving'
    ? `${style.good('serving')} on ${hosts.join(', ')}` : 'stopped everywhere'])
}
