import type { Command } from 'commander'
import { DEFAULT_DIR } from '../client/locate.ts'
import { keepEndpoint } from '../endpoint.ts'
import { Interrupted } from '../errors.ts'
import type { Proof } from '../prove.ts'
import { pairs, styleOf, type Style } from '../render.ts'
import type { Terminal } from '../terminal.ts'
import { urlOf } from '../address.ts'
import { bootZone, sayTo, zoneOptions, type BootedZone, type Say, type ZoneOptions } from './boot-zone.ts'
import { command } from './command.ts'
import { printZoneUnit } from './print-unit.ts'
import { assertPassed, selfCheck } from './self-check.ts'
import { watch } from './watch.ts'

interface UpCommandOptions extends ZoneOptions {
  readonly once?: true
  readonly systemd?: true
}

/** Of both commands that boot a zone and serve it. */
function serving(terminal: Terminal, verb: 'up' | 'start', of: Command): Command {
  return zoneOptions(of)
    .option('--once', 'boot, attack the zone as `prove` does, stop')
    .option('--systemd', 'print a unit for systemd that runs it at each start of the machine, and end')
    .action((options: UpCommandOptions) => (options.systemd ? printZoneUnit(terminal, verb, options)
      : options.once ? bootOnce(terminal, options) : serve(terminal, options)))
}

export function upCommand(terminal: Terminal): Command {
  return serving(terminal, 'up', command(terminal, 'up', {
    description: 'Boot the zone of a folder and serve it until Ctrl-C',
    examples: [
      'up', 'up --once --json', 'up --dir ./other --port 8080', 'up --once --diagram',
      'up --dir /srv/zone --systemd > /etc/systemd/system/zonewright.service',
    ],
    exits: [3, 5, 11, 12, 71],
  }))
}

export function startCommand(terminal: Terminal): Command {
  return serving(terminal, 'start', command(terminal, 'start', {
    description: 'Start a zone with its stores in the etcd of its config: the same as up, by the name of rk8s',
    examples: [
      'start --config config.yaml', 'start --config config.yaml --once --json',
      'start --config config.yaml --systemd > /etc/systemd/system/zonewright.service',
    ],
    exits: [3, 5, 11, 12, 40, 41, 42, 43, 71],
  }))
}

async function serve(terminal: Terminal, options: UpCommandOptions): Promise<void> {
  const booted = await bootZone(terminal, options, styleOf(terminal.colours))
  const { zone, platform } = booted
  const removeEndpoint = await keepEndpoint(zone, {
    root: platform.keys.importJwk(zone.identity.zone.root).kid, pid: platform.host.processId,
    startedAt: platform.clock.now(),
  }, addressOf)
  try {
    await serveUntilEnd(terminal, booted, options, removeEndpoint)
  } finally {
    await removeEndpoint()
  }
}

/** @throws what the zone cannot be without, once it has failed for good */
async function serveUntilEnd(
  terminal: Terminal, booted: BootedZone, options: UpCommandOptions, removeEndpoint: () => Promise<void>,
): Promise<void> {
  const style = styleOf(terminal.colours)
  const say = sayTo(terminal, options)
  if (options.json) terminal.out(JSON.stringify(summary(booted, options)))
  else {
    if (options.diagram) for (const line of ['', booted.diagram()]) say(line)
    for (const line of await readyLines(terminal, booted, style)) say(line)
  }
  const { broken, end } = watch(booted, terminal, style)
  const ended = await Promise.race([terminal.interrupted(), broken])
  end()
  say('')
  say(typeof ended === 'string' ? `${ended}: stopping in reverse order` : 'stopping in reverse order')
  // First: once the folder is free, the next process may have written its own
  await removeEndpoint()
  await booted.stop()
  if (typeof ended !== 'string') throw ended
}

async function bootOnce(terminal: Terminal, options: UpCommandOptions): Promise<void> {
  const style = styleOf(terminal.colours)
  const say = sayTo(terminal, options)
  const booted = await bootZone(terminal, options, style)
  say('')
  say(readyLine(booted, style))
  const check = await checkAndStop(terminal, booted, say, style)
  assertPassed(check)
  if (options.json) {
    const { passed, failed } = check
    terminal.out(JSON.stringify({ ...summary(booted, options), selfCheck: { passed, failed } }))
  } else if (options.diagram) {
    for (const line of ['', booted.diagram()]) say(line)
  }
}

/** The self-check, and the zone stopped however that ends. @throws Interrupted */
export async function checkAndStop(
  terminal: Terminal, booted: BootedZone, say: Say, style: Style,
): Promise<Proof> {
  try {
    const interrupted = terminal.interrupted().then((signal): never => {
      throw new Interrupted(`Interrupted by ${signal} during the self-check`)
    })
    return await Promise.race([selfCheck(booted, say, style), interrupted])
  } finally {
    say('')
    say('stopping in reverse order')
    await booted.stop()
  }
}

function summary(booted: BootedZone, { diagram }: UpCommandOptions) {
  const { zone } = booted
  const { hostname, port } = zone.address
  return {
    ready: true, bootMs: Math.round(zone.bootMs), zone: zone.config.zone, host: zone.config.host,
    address: addressOf(hostname, port), secondBoot: zone.secondBoot, steps: booted.rows(),
    ...(booted.etcd ? { etcd: booted.etcd } : {}), ...(booted.failed.length > 0 ? { failed: booted.failed } : {}),
    ...(diagram ? { diagram: booted.diagram() } : {}),
  }
}

/** An address that a browser of this machine can open. */
export function addressOf(hostname: string, port: number): string {
  return `${urlOf({ hostname, port })}/`
}

function readyLine({ zone }: BootedZone, style: Style): string {
  const hosts = zone.hosts()
  const serving = hosts.flatMap(({ actors }) => actors).filter(({ state }) => state === 'serving').length
  const up = hosts.filter(({ state }) => state === 'serving').length
  const where = hosts.length === 1 ? '' : up === hosts.length ? ` on ${up} hosts` : ` on ${up} of ${hosts.length} hosts`
  return `${style.good('ready')} in ${style.bold(`${Math.round(zone.bootMs)} ms`)}, ${serving} actors serving${where}`
}

async function readyLines(
  terminal: Terminal, booted: BootedZone, style: Style,
): Promise<readonly string[]> {
  const { zone, folder } = booted
  const where = folder === DEFAULT_DIR ? '' : ` --dir ${folder}`
  const { hostname, port } = zone.address
  const first = await zone.firstPassword()
  return [
    '',
    readyLine(booted, style),
    '',
    ...pairs([
      ['open', style.bold(addressOf(hostname, port))],
      ...(first ? [
        ['log in', `as ${first.username} with the password ${style.bold(first.password)}`] as const,
        ['', 'a first password: each start makes another until one is used'] as const,
      ] : []),
    ]),
    '',
    'Try next, in another terminal:',
    ...pairs([
      [`${terminal.invocation} login${where}`, `as ${zone.config.owner}, for the commands that follow`],
      [`${terminal.invocation} status${where}`, 'is it healthy? `ps` shows every host and actor'],
      [`${terminal.invocation} kill service${where}`, 'end an actor as a crash would, and see it come back'],
      [`${terminal.invocation} prove`, 'attack a zone and see each attack refused'],
      [`${terminal.invocation} --help`, 'everything else'],
    ]),
    '',
    'Ctrl-C stops it',
  ]
}
