import { spawn } from 'node:child_process'
import { closeSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { kv } from '../../actors/records.ts'
import { SystemConfig } from '../../actors/system-config/protocol.ts'
import { up } from '../../boot/up.ts'
import { limits } from '../../runtime/limits.ts'
import { openPlatform } from '../../runtime/platform/index.ts'
import { type ActorSpec, worker } from '../../runtime/spec.ts'
import { supervise } from '../../runtime/supervise.ts'
import { createTrace, type Trace } from '../../runtime/trace.ts'
import { Unruly } from '../examples/unruly-protocol.ts'
import { Greedy } from './greedy-protocol.ts'
import { rootToken } from './real-zone.ts'

export const greedy = worker(Greedy, new URL('./greedy.ts', import.meta.url))
export const unruly = (options: Partial<ActorSpec> = {}): ActorSpec =>
  worker(Unruly, new URL('../examples/unruly.ts', import.meta.url), options)

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
const tell = (line: object): void => void writeSync(1, `${JSON.stringify(line)}\n`)
const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(() => 'done', (error: unknown) => (error as { code?: string }).code ?? String(error))

function deathsOn(trace: Trace): string[] {
  const deaths: string[] = []
  trace.on('actor', ({ actor, state, reason }) => {
    if (state === 'died' || state === 'failed') deaths.push(`${actor}: ${reason}`)
  })
  return deaths
}

/** This whole process is stopped by a signal, and goes on later. */
async function frozen(): Promise<void> {
  const zone = await supervise([greedy, unruly()])
  const deaths = deathsOn(zone.trace)
  const incarnations = () => Promise.all([zone.get(Greedy).incarnation({}), zone.get(Unruly).incarnation({})])
  const before = await incarnations()
  const seconds = limits.heartbeatSilenceMs / 1_000 + 5
  const { pid } = process
  spawn('sh', ['-c', `sleep 0.3; kill -STOP ${pid}; sleep ${seconds}; kill -CONT ${pid}`], { stdio: 'ignore' })
  let stoodStillMs = 0
  for (let last = performance.now(); stoodStillMs < 1_000; last = performance.now()) {
    await sleep(50)
    stoodStillMs = performance.now() - last
  }
  await sleep(3 * limits.heartbeatMs)
  tell({ stoodStillMs: Math.round(stoodStillMs), deaths, before, after: await incarnations() })
  await zone.stop()
}

/** An actor takes all memory in one go. */
async function burst(stores: string): Promise<void> {
  const zone = await supervise([{ ...greedy, permissions: { write: [join(stores, 'greedy')] } }], { stores })
  for (let key = 0; key < 20; key++) tell({ written: await zone.get(Greedy).put({ key: `k${key}` }) })
  zone.get(Greedy).leak({ gently: false })
}

/** No more file can be opened. */
async function files(folder: string): Promise<void> {
  const platform = await openPlatform()
  const trace = createTrace()
  const zone = await up({ platform, folder, trace })
  const deaths = deathsOn(trace)
  const systemConfig = zone.get(SystemConfig)
  const token = await rootToken(zone, platform)
  const write = (name: string): Promise<string> => codeOf(systemConfig.execTx({
    actions: { [`users/${name}/notes`]: { action: 'create', value: '{}' } },
  }, { token }))
  const writes = [await write('before')]
  const taken: number[] = []
  for (;;) {
    try {
      taken.push(openSync('/dev/null', 'r'))
    } catch {
      break
    }
  }
  writes.push(await write('during'))
  const reads = await codeOf(systemConfig.get({ key: kv.bootConfig }, { token }))
  await sleep(2 * limits.heartbeatMs)
  for (const file of taken) closeSync(file)
  writes.push(await write('after'))
  const response = await fetch(`http://127.0.0.1:${zone.address.port}/healthz`)
  tell({ writes, reads, health: await response.text(), deaths })
  await zone.stop()
}

export async function child(mode: string, [folder = '']: readonly string[]): Promise<void> {
  if (mode === 'frozen') await frozen()
  else if (mode === 'burst') await burst(folder)
  else if (mode === 'files') await files(folder)
  else throw new Error(`Unknown: ${mode}`)
}
