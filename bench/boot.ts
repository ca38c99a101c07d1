/**
 * Boot to ready, against the start of the same workers importing the same bundles plus the durable writes of a boot.
 * The two are measured in turn, each in a fresh folder, and the medians compared.
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { kernelActors } from '../actors/trust-matrix.ts'
import { catalogue } from '../boot/catalogue.ts'
import { defaultConfig } from '../boot/config.ts'
import { up } from '../boot/up.ts'
import { actor, type ActorDefinition } from '../runtime/actor.ts'
import { openPlatform } from '../runtime/platform/index.ts'
import type { Platform } from '../runtime/platform/ports.ts'
import { folderOf } from '../runtime/store/location.ts'
import { Supervision } from '../runtime/supervision.ts'
import { Supervisor } from '../runtime/supervisor.ts'
import { createTrace } from '../runtime/trace.ts'
import type { Bench, Row } from './report.ts'

const nothing = Object.fromEntries(Object.keys(Supervision.methods).map((name) => [name, () => undefined]))

const BOOT_RATIO_MAX = 1.5
const START_MS_MAX = 3_000
const ROUNDS = 7
const stateful = ['vault', 'system-config', 'verify-hub', 'service'] as const

const bench: Bench = async ({ say }) => {
  const platform = await openPlatform()
  const boots: number[] = []
  const floors: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const writes = await inFolder(async (folder) => {
      const zone = await up({ platform, folder })
      boots.push(zone.bootMs)
      await zone.stop()
      return durableWrites(platform, folder)
    })
    floors.push(await inFolder((folder) => floorMs(platform, folder, writes)))
    say(`round ${round + 1} of ${ROUNDS}: boot ${boots.at(-1)?.toFixed(0)} ms, floor ${floors.at(-1)?.toFixed(0)} ms`)
  }
  const [boot, floor] = [median(boots), median(floors)]
  const starts: number[] = []
  for (let round = 0; round < 3; round++) starts.push(await inFolder(startMs))
  const start = median(starts)
  return [
    { name: 'start of the same workers and the durable writes', value: floor, unit: 'ms' },
    {
      name: 'boot to ready, against that',
      value: boot,
      unit: 'ms',
      ratio: boot / floor,
      target: BOOT_RATIO_MAX,
      atMost: true,
    },
    {
      name: `${command().join(' ')} to ready, against ${START_MS_MAX} ms`,
      value: start,
      unit: 'ms',
      ratio: start / START_MS_MAX,
      target: 1,
      atMost: true,
    },
  ] satisfies Row[]
}
export default bench

async function inFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'zonewright-bench-'))
  try {
    return await work(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** How often each store was written by the boot that just ended, and the files that were. */
async function durableWrites(
  platform: Platform,
  folder: string,
): Promise<{ stores: readonly number[]; files: number }> {
  const stores = platform.stores(folderOf(join(folder, 'stores')))
  const revisions = await Promise.all(
    stateful.map(async (name) => {
      const store = await stores.open(name)
      const revision = await store.revision()
      await store.close()
      return revision
    }),
  )
  const files = await platform.host.openFolder(folder)
  const top = (await files.list('.')).filter(({ directory }) => !directory).length
  return { stores: revisions, files: top + (await files.list('recovery-shares')).length }
}

async function floorMs(
  platform: Platform,
  folder: string,
  writes: { stores: readonly number[]; files: number },
): Promise<number> {
  const began = performance.now()
  const device = platform.keys.generate(platform.random)
  const supervisor: Supervisor = new Supervisor(
    {
      platform,
      zone: 'floor',
      host: 'ood1',
      device,
      stores: folderOf(join(folder, 'stores')),
      trace: createTrace(),
      kernelActors,
      devices: [{ host: 'ood1', role: 'ood', jwk: device.public.jwk }],
      // Load checks the needs: two actors need what a booting host offers
      offers: actor(Supervision, {}, () => nothing as never) as unknown as ActorDefinition,
    },
    catalogue(join(folder, 'stores'), defaultConfig),
  )
  const files = await platform.host.openFolder(folder)
  await files.makeFolder('stores', { mode: 0o700 })
  await supervisor.load()
  for (let file = 0; file < writes.files; file++)
    await files.write(`file-${file}`, new Uint8Array(512), { mode: 0o600 })
  for (const [index, count] of writes.stores.entries()) {
    const store = await platform.stores(folderOf(join(folder, 'stores'))).open(stateful[index]!)
    for (let write = 0; write < count; write++) await store.put(`key-${write}`, new Uint8Array(512))
    await store.close()
  }
  const elapsed = performance.now() - began
  await supervisor.stopAll()
  return elapsed
}
const command = (): readonly string[] => ('Deno' in globalThis ? ['deno', 'task', 'start'] : ['npm', 'start'])

/** From the command to the line that says it is ready. */
function startMs(folder: string): Promise<number> {
  const began = performance.now()
  const args =
    'Deno' in globalThis
      ? [process.execPath, 'run', '-A', '--unstable-worker-options', 'boot/cli.ts', 'up', '--dir', folder, '--json']
      : ['npm', 'start', '--', '--dir', folder, '--json']
  const child = spawn(args[0]!, args.slice(1), { stdio: ['ignore', 'pipe', 'ignore'], detached: true })
  return new Promise((resolve, reject) => {
    let output = ''
    let readyMs: number | undefined
    child.stdout.on('data', (chunk: Uint8Array) => {
      output += new TextDecoder().decode(chunk)
      if (readyMs !== undefined || !output.includes('"ready":true')) return
      readyMs = performance.now() - began
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGTERM')
    })
    child.once('exit', (code) => {
      if (readyMs === undefined) reject(new Error(`The zone did not start: exit ${code}`))
      else resolve(readyMs)
    })
  })
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? 0
}
