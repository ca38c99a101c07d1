/**
 * 100,000 live sessions in verify-hub's embedded store: what one costs in memory, whether looking one up costs the same
 * as among 1,000 in processor time, and how long a start takes. Each size is a process of its own.
 */
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { openSessions, type Session } from '../actors/verify-hub/sessions.ts'
import { systemClock as clock } from '../runtime/platform/clock.ts'
import { systemRandom as random } from '../runtime/platform/random.ts'
import { openEmbeddedStore } from '../runtime/store/embedded.ts'
import { toBase64url } from '../runtime/trust/base64url.ts'
import type { Bench, Row } from './report.ts'

const CHILD = '--sessions-child'
const SIZES = [0, 1_000, 100_000] as const
const AT_ONCE = 1_000
const LOOKUPS = 100_000
const WARM_UP = 10_000
const ROUNDS = 3
const START_MS_MAX = 2_000
/** Of the many against the few. A search that grows with their number would be near 100. */
const CONSTANT_MAX = 1.5
const CHILD_MS_MAX = 300_000
const KB = 1024

interface Measured {
  readonly sessions: number
  readonly rssBytes: number
  readonly startMs: number
  readonly startCpuMs: number
  /** All that live were looked at, as verify-hub does in the background when it has started. */
  readonly lookMs: number
  readonly lookupMicros: number
}

const bench: Bench = async ({ say }) => {
  const sizes: Measured[] = []
  for (const size of SIZES) {
    const folder = mkdtempSync(join(tmpdir(), 'zonewright-bench-'))
    try {
      await child('fill', folder, size)
      const rounds: Measured[] = []
      for (let round = 0; round < ROUNDS; round++) {
        rounds.push(JSON.parse(await child('start', folder, size)) as Measured)
      }
      const { startMs, startCpuMs } = medianBy(rounds, (one) => one.startMs)
      const { lookupMicros } = medianBy(rounds, (one) => one.lookupMicros)
      sizes.push({ ...medianBy(rounds, (one) => one.rssBytes), startMs, startCpuMs, lookupMicros })
      say(`${size} sessions: start ${startMs.toFixed(0)} ms, lookup ${lookupMicros.toFixed(2)} µs`)
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  }
  const [none, few, many] = sizes as [Measured, Measured, Measured]
  const rows: Row[] = [
    { name: `a lookup among ${few.sessions} sessions`, value: few.lookupMicros, unit: 'µs' },
    {
      name: `a lookup among ${many.sessions} sessions, against ${few.sessions}`, value: many.lookupMicros, unit: 'µs',
      ratio: many.lookupMicros / few.lookupMicros, target: CONSTANT_MAX, atMost: true,
    },
    {
      name: `start with ${many.sessions} sessions, against ${START_MS_MAX} ms`, value: many.startMs, unit: 'ms',
      ratio: many.startMs / START_MS_MAX, target: 1, atMost: true,
    },
    { name: 'processor time of that start', value: many.startCpuMs, unit: 'ms' },
    { name: `looking at all ${many.sessions} once, in the background`, value: many.lookMs, unit: 'ms' },
    {
      name: `memory of one of ${many.sessions} sessions`, value: (many.rssBytes - none.rssBytes) / many.sessions / KB,
      unit: 'KB',
    },
  ]
  return rows
}
export default bench

/** Processor time: what else the machine does meanwhile is not counted. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1_000
}

const medianBy = (all: readonly Measured[], by: (one: Measured) => number): Measured =>
  [...all].sort((a, b) => by(a) - by(b))[Math.floor(all.length / 2)]!

function child(what: 'fill' | 'start', folder: string, size: number): Promise<string> {
  const words = [fileURLToPath(import.meta.url), CHILD, what, folder, String(size)]
  const runtime = 'Deno' in globalThis ? ['run', '-A'] : []
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [...runtime, ...words], { timeout: CHILD_MS_MAX }, (error, stdout) => {
      if (error) reject(error)
      else resolve(stdout)
    })
  })
}

const sidOf = (index: number): string => `sid-${String(index).padStart(18, '0')}`

function sessionOf(index: number): Session {
  const iat = Math.floor(clock.now() / 1000)
  const id = (): string => toBase64url(random.bytes(16))
  return {
    sid: sidOf(index), sub: `user${index}`, appid: 'console', host: null, holder: null, state: 'live', reason: '',
    createdMs: clock.now(), expires: iat + 604_800, before: null,
    issue: {
      sessionJti: id(), refreshJti: id(), iat, aud: ['console', 'system-config', 'verify-hub'], runtimeType: 'user',
      epoch: 0,
    },
  }
}

async function fill(folder: string, size: number): Promise<void> {
  const store = await openEmbeddedStore(folder, { clock, random })
  const sessions = openSessions(store)
  for (let index = 0; index < size; index += AT_ONCE) {
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, size - index) }, (_, each) =>
      sessions.create(sessionOf(index + each))))
  }
  await store.close()
}

async function start(folder: string, size: number): Promise<Measured> {
  const [before, cpuBefore] = [clock.monotonic(), cpuMs()]
  const store = await openEmbeddedStore(folder, { clock, random })
  const sessions = openSessions(store)
  await sessions.find(sidOf(0))
  const startMs = clock.monotonic() - before
  const startCpuMs = cpuMs() - cpuBefore
  const { rss: rssBytes } = process.memoryUsage()
  let seen = 0
  for await (const { host } of sessions.living()) if (host === null) seen++
  const lookMs = clock.monotonic() - before - startMs
  if (seen !== size) throw new Error(`There should be ${size} sessions: ${seen}`)
  let found = 0
  // Far apart, and each as often
  const search = async (count: number): Promise<void> => {
    for (let index = 0; index < count; index++) {
      if (await sessions.find(sidOf((index * 7_919) % Math.max(1, size)))) found++
    }
  }
  await search(WARM_UP)
  const from = cpuMs()
  await search(LOOKUPS)
  const lookupMicros = (cpuMs() - from) * 1_000 / LOOKUPS
  if (found !== (size === 0 ? 0 : LOOKUPS + WARM_UP)) throw new Error(`Not all were found: ${found}`)
  await store.close()
  return { sessions: size, rssBytes, startMs, startCpuMs, lookMs, lookupMicros }
}

const [marker, what, folder = '', size] = process.argv.slice(2)
if (marker === CHILD) {
  if (what === 'fill') await fill(folder, Number(size))
  else process.stdout.write(JSON.stringify(await start(folder, Number(size))))
}
