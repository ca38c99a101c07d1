/** Hosts that join a zone of this process by its TLS port and run here, each from a folder of its own. */
import { writeFileSync } from 'node:fs'
import { join as path } from 'node:path'
import type { PublicJwk } from '../../runtime/platform/ports.ts'
import { openJoining } from '../../boot/host/joining.ts'
import { runHost, type RunningHost, type RunHostOptions } from '../../boot/host/run.ts'
import type { Joined } from '../../boot/join/join-client.ts'
import { file } from '../../boot/init.ts'
import { createTrace, type DenialEvent, type LogEvent, type StepEvent } from '../../runtime/trace.ts'
import { pause } from '../../runtime/within.ts'
import { ownerOf } from './cluster.ts'
import { newFolder } from './command-line.ts'
import { platform, type JoiningZone } from './joining.ts'

export interface JoinedHost {
  readonly name: string
  readonly folder: string
  readonly joined: Joined
  readonly key: PublicJwk
  /** Of all its runs. */
  readonly steps: StepEvent[]
  readonly logs: LogEvent[]
  readonly denials: DenialEvent[]
  /** With the certificate of the join unless it is told to be without. */
  run(changes?: Partial<RunHostOptions>): Promise<RunningHost>
}

/** @param config of `zone.yaml` in its folder */
export async function joinHost(
  zone: JoiningZone, name: string, config = '', port = zone.port,
): Promise<JoinedHost> {
  const folder = newFolder()
  if (config !== '') writeFileSync(path(folder, file.config), config)
  const made = await zone.token(name)
  const joining = await openJoining(platform, folder, { host: name })
  const { device } = joining
  const joined = await zone.join({ ...made, server: `127.0.0.1:${port}` }, { device, port })
  await joining.keep(joined, { hostname: '127.0.0.1', port }, zone.options(made).given)
  await joining.close()
  const [steps, logs, denials]: [StepEvent[], LogEvent[], DenialEvent[]] = [[], [], []]
  return {
    name, folder, joined, key: device.public.jwk, steps, logs, denials,
    run: (changes = {}) => {
      const trace = createTrace()
      trace.on('step', (event) => void steps.push(event))
      trace.on('log', (event) => void logs.push(event))
      trace.on('denial', (event) => void denials.push(event))
      return runHost({ platform, folder, trace, certificate: joined.tls, ...changes })
    },
  }
}

/** Settles when it holds, with the milliseconds that took. @throws with `what` when it does not in time */
export async function eventually(what: string, holds: () => Promise<boolean> | boolean, msMax = 15_000) {
  const { clock } = platform
  const began = clock.monotonic()
  while (!await holds()) {
    if (clock.monotonic() - began > msMax) throw new Error(`Not in time: ${what}`)
    await pause(clock, 25)
  }
  return clock.monotonic() - began
}

/** Writes by the owner key, whatever was there. */
export async function writeKey(zone: JoiningZone, key: string, value: object | string | undefined): Promise<void> {
  const owner = ownerOf(zone.zone, platform, path(zone.cwd, '.zone'))
  const there = await owner.get(key) !== null
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  if (value !== undefined) await owner.tx({ [key]: { action: there ? 'update' : 'create', value: text } })
  else if (there) await owner.tx({ [key]: { action: 'remove' } })
}
