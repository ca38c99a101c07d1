import { execFileSync } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import * as assert from 'uvu/assert'
import { createObserver, type Observer, type ObserverOptions } from '../boot/observe/observer.ts'
import { openPlatform } from '../runtime/platform/index.ts'
import type { LogLine } from '../runtime/supervision.ts'
import { createTrace, type LogEvent, type Trace } from '../runtime/trace.ts'
import type { Inspection } from '../runtime/worker.ts'

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

export async function until(what: string, reached: () => boolean | Promise<boolean>, withinMs = 8_000): Promise<void> {
  for (const end = performance.now() + withinMs; performance.now() < end; await pause(10)) if (await reached()) return
  assert.unreachable(`not within ${withinMs} ms: ${what}`)
}

export async function inFolder(task: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'zonewright-observe-'))
  try {
    await task(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** A real small disk, where this user may mount one. */
export async function onSmallDisk(bytes: number, task: (folder: string) => Promise<void>): Promise<boolean> {
  const folder = await mkdtemp(join(tmpdir(), 'zonewright-disk-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', folder], { stdio: 'ignore' })
  } catch {
    await rm(folder, { recursive: true, force: true })
    return false
  }
  try {
    await task(folder)
    return true
  } finally {
    execFileSync('umount', ['-l', folder])
    await rm(folder, { recursive: true, force: true })
  }
}

export interface Observed {
  readonly observer: Observer
  readonly trace: Trace
  log(message: string, given?: Partial<LogEvent>): void
  /** What the observer keeps. */
  kept(tail?: number): Promise<readonly LogLine[]>
}

export async function observed(folder: string, given: Partial<ObserverOptions> = {}): Promise<Observed> {
  const platform = await openPlatform()
  const trace = createTrace()
  await mkdir(folder, { recursive: true })
  const observer = createObserver({
    platform, trace, files: await platform.host.openFolder(folder), folder: 'logs', zone: 'zone.test', host: 'ood1',
    version: '0.0.0', otlp: undefined, inspect: async () => [], ...given,
  })
  return {
    observer, trace,
    log(message, event = {}) {
      const origin = { host: 'ood1', actor: 'tester', at: Date.now() }
      trace.emit('log', { ...origin, level: 'info', message, fields: {}, ...event })
    },
    async kept(tail = 100_000) {
      const lines: LogLine[] = []
      for await (const line of observer.logs({ tail, follow: false }, new AbortController().signal)) lines.push(line)
      return lines
    },
  }
}

/** Of the whole log, oldest first; each line must be JSON. */
export async function written(folder: string): Promise<readonly LogLine[]> {
  const names = (await readdir(join(folder, 'logs'))).filter((name) => name.startsWith('zone.jsonl'))
  const age = (name: string): number => Number(/\.(\d+)$/.exec(name)?.[1] ?? 0)
  const texts = await Promise.all(names.sort((a, b) => age(b) - age(a)).map((name) =>
    readFile(join(folder, 'logs', name), 'utf8')))
  return texts.join('').split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as LogLine)
}

export const inspection = (actor: string, incarnation: number, given: Partial<Inspection> = {}): Inspection => ({
  actor, incarnation, state: 'serving', waiting: 0, running: 0, links: 1, deadLetters: 0, framesRejected: 0,
  handshakesRefused: 0, counters: {}, gauges: {}, ...given,
})

export const isRoot = process.getuid?.() === 0
