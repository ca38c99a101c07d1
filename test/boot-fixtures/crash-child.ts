import { writeSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { type BootConfig, SystemConfig } from '../../actors/system-config/protocol.ts'
import { VerifyHub } from '../../actors/verify-hub/protocol.ts'
import { type RunningZone, up } from '../../boot/up.ts'
import { openPlatform } from '../../runtime/platform/index.ts'
import type { Files, Platform } from '../../runtime/platform/ports.ts'
import { createTrace } from '../../runtime/trace.ts'
import { deviceSession } from './effects.ts'
import { nameOf } from './promises.ts'

/** What a boot that was not killed tells of its zone. */
export interface Report {
  readonly secondBoot: boolean
  readonly steps: readonly string[]
  readonly boot: BootConfig
  readonly revision: number
  readonly trust: readonly { readonly kid: string; readonly reason: string }[]
  /** Of the sessions that it was asked for, those that live. */
  readonly alive: readonly string[]
  readonly healthz: number
  readonly shares: number
  readonly warnings: readonly string[]
}

/** Written at once: a pipe keeps it when the writer is killed. */
const say = (line: object): void => void writeSync(1, `${JSON.stringify(line)}\n`)

export const die = (): never => {
  process.kill(process.pid, 'SIGKILL')
  // Until the signal is delivered, nothing more may happen
  for (;;);
}

/** The platform, but the process dies at the named operation on a file of the zone's folder. */
export function dyingAt(platform: Platform, point: string): Platform {
  const at = (when: string, name: string): void => {
    if (point === `${when} ${name}`) die()
  }
  const around =
    <A extends readonly unknown[], R>(act: (name: string, ...rest: A) => Promise<R>) =>
    async (name: string, ...rest: A): Promise<R> => {
      at('before', name)
      const result = await act(name, ...rest)
      at('after', name)
      return result
    }
  const openFolder = async (path: string): Promise<Files> => {
    const files = await platform.host.openFolder(path)
    return {
      ...files,
      write: around(files.write),
      create: around(files.create),
      makeFolder: around(files.makeFolder),
      lock: around(files.lock),
    }
  }
  return { ...platform, host: { ...platform.host, openFolder } }
}

/** Boots the zone of a folder and dies at `point`; without one it reports, stops and ends by itself. */
export async function crashChild(folder: string, point: string, sids: readonly string[]): Promise<void> {
  const trace = createTrace()
  const warnings: string[] = []
  trace.on('log', ({ level, message, actor }) => {
    if (point === `log ${message}`) die()
    if (level !== 'info') warnings.push(`${actor}: ${message}`)
  })
  trace.on('step', (event) => {
    const { sid } = event.evidence
    say({ step: nameOf(event), ...(sid === undefined ? {} : { sid }) })
    if (point === `step ${event.number}`) die()
  })
  const zone = await up({ platform: dyingAt(await openPlatform(), point), folder, trace })
  say({ report: await reportOn(zone, folder, sids, warnings) })
  await zone.stop()
}

async function reportOn(
  zone: RunningZone,
  folder: string,
  sids: readonly string[],
  warnings: readonly string[],
): Promise<Report> {
  const token = await deviceSession(folder, zone.config.host)
  const item = await zone.get(SystemConfig).get({ key: 'boot/config' }, { token })
  const { keys } = await zone.get(SystemConfig).trust({})
  const known = await Promise.all(
    sids.map(async (sid) => ({ sid, ...await zone.get(VerifyHub).verifySession({ sid }) })),
  )
  const { status } = await fetch(`http://127.0.0.1:${zone.address.port}/healthz`)
  const shares = await readdir(join(folder, 'recovery-shares')).catch(() => [])
  return {
    secondBoot: zone.secondBoot,
    steps: zone.steps().map(nameOf),
    boot: JSON.parse(item?.value ?? '{}') as BootConfig,
    revision: item?.revision ?? 0,
    trust: keys.map(({ kid, reason }) => ({ kid, reason })),
    alive: known.filter(({ active }) => active).map(({ sid }) => sid),
    healthz: status,
    shares: shares.length,
    warnings,
  }
}
