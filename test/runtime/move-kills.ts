/** One store, moved by processes that are killed, until it has gone; then all of it is looked at. */
import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { openLogCopy } from '../../runtime/store/embedded/log-copy.ts'
import { Digest } from '../../runtime/store/move/digest.ts'
import type { Entry } from '../../runtime/store/store.ts'
import { open, text, type EtcdLocation } from './move-fixture.ts'
import type { MoveTask } from './move-child.ts'

export interface KillRun {
  readonly to: EtcdLocation
  readonly entries: number
  /** Where the processes end, one after the other; then one that goes to the end. */
  readonly dieAt: readonly (string | number)[]
  /** Processes that may fail by themselves, because etcd was away for too long. */
  readonly failures?: number
  readonly withinMs?: number
}

interface Line {
  readonly key?: string
  readonly number?: number
  readonly failed?: string
  readonly message?: string
  readonly done?: true
}

/** @returns what is wrong, and how many entries came to etcd */
export async function killRun(run: KillRun): Promise<{ readonly faults: readonly string[]; readonly entries: number }> {
  const folder = await mkdtemp(join(tmpdir(), 'zonewright-kill-'))
  const acknowledged = new Map<string, number>()
  const faults: string[] = []
  try {
    const tasks = [...run.dieAt, undefined]
    let failures = run.failures ?? 0
    for (let dieAt = tasks.shift(); ; dieAt = tasks.shift()) {
      const lines = await child(folder, run, dieAt)
      for (const { key, number } of lines) {
        if (key !== undefined) acknowledged.set(key, Math.max(number!, acknowledged.get(key) ?? 0))
      }
      const last = lines.at(-1)
      if (dieAt === undefined && last?.done) break
      const failed = lines.find((line) => line.failed)
      if (failed && failures-- <= 0) return { faults: [`${failed.failed}: ${failed.message}`], entries: 0 }
      if (failed || dieAt === undefined) tasks.push(undefined)
    }
    return { faults, entries: await compare(folder, run.to, acknowledged, faults) }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Runs it on this runtime. */
async function child(folder: string, run: KillRun, dieAt: string | number | undefined): Promise<readonly Line[]> {
  const { to, entries, withinMs = 60_000 } = run
  const task: MoveTask = { folder, to, entries, ...(dieAt === undefined ? {} : { dieAt }) }
  const path = join(folder, 'task.json')
  await writeFile(path, JSON.stringify(task))
  const before = 'Deno' in globalThis ? ['run', '-A'] : []
  const program = fileURLToPath(new URL('./move-child.ts', import.meta.url))
  const started = spawn(process.execPath, [...before, program, path], { stdio: ['ignore', 'pipe', 'inherit'] })
  const late = setTimeout(() => started.kill('SIGKILL'), withinMs)
  let output = ''
  started.stdout.on('data', (chunk: unknown) => { output += String(chunk) })
  await new Promise<void>((resolve) => started.on('close', () => resolve()))
  clearTimeout(late)
  // The last line may be cut
  return output.split('\n').slice(0, -1).map((line) => JSON.parse(line) as Line)
}

/** What stayed behind is frozen as it was when the store went: all of it is there, as it was or newer. */
async function compare(
  folder: string, to: EtcdLocation, acknowledged: ReadonlyMap<string, number>, faults: string[],
): Promise<number> {
  const copy = await openLogCopy(join(folder, 'one'))
  const { state } = await copy!.check()
  await copy!.close()
  const { moved, revision } = state
  if (!moved) faults.push('the store has not gone')
  const digest = new Digest()
  const store = await open(to, 'one')
  const { entries } = await store.list('')
  const there = new Map(entries.map((entry) => [entry.key, entry]))
  for (const [, entry] of state.entriesFrom('', false)) {
    const { key, createRevision: create, modRevision: mod, version, value } = entry
    digest.add({ key, create, mod, version }, value)
    const found = there.get(key)
    if (!found) faults.push(`${key} is missing`)
    else if (found.modRevision <= revision && !isSame(found, entry)) faults.push(`${key} is another`)
  }
  if (digest.toString() !== moved?.digest) faults.push(`digest ${digest} and not ${moved?.digest}`)
  if (digest.count !== moved?.entries) faults.push(`${digest.count} entries and not ${moved?.entries}`)
  for (const [key, number] of acknowledged) {
    const value = Number(text(there.get(key)?.value))
    if (!(value >= number)) faults.push(`${key} is ${value}, and ${number} was acknowledged`)
  }
  await store.close()
  return entries.length
}

const isSame = (left: Entry, right: Entry): boolean => left.createRevision === right.createRevision
  && left.modRevision === right.modRevision && left.version === right.version && text(left.value) === text(right.value)
