/** Limits of what keeps registrations right, of what asks a program, and of what lists hosts. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { keepRegistered } from '../../actors/enrolment/hosts.ts'
import { followDevices } from '../../actors/enrolment/tunnels/follow-devices.ts'
import { joinHandlers } from '../../actors/vault/join/handlers.ts'
import { hostsPath } from '../../actors/enrolment/protocol.ts'
import { joinedHostsOf } from '../../boot/client/joined-hosts.ts'
import { LimitExceeded, Unavailable, type ZonewrightError } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import type { Clock, Host } from '../../runtime/platform/ports.ts'
import { systemRandom } from '../../runtime/platform/random.ts'
import { createHook } from '../../runtime/process/hook.ts'
import { device, asked, joinable, makeToken } from './join-fixture.ts'
import { settle } from './system-config-zone.ts'

/** Time passes when it is told to. */
function clockOf(): Clock & { pass(ms: number): Promise<void> } {
  let now = 0
  const timers = new Set<{ at: number; task: () => void }>()
  return {
    now: () => now, monotonic: () => now, soon: (task) => queueMicrotask(task),
    after(delayMs, task) {
      const timer = { at: now + delayMs, task }
      timers.add(timer)
      return () => void timers.delete(timer)
    },
    async pass(ms) {
      now += ms
      for (const timer of [...timers].filter(({ at }) => at <= now)) {
        timers.delete(timer)
        timer.task()
      }
      await settle()
    },
  }
}
const quiet = { info() {}, warn() {}, error() {} }

test('all hosts are looked at again after the time of the limit, and sooner after a failure', async () => {
  const clock = clockOf()
  const stopping = new AbortController()
  let sweeps = 0
  let fails = true
  const keeping = keepRegistered({ clock, stopping: stopping.signal, log: quiet }, {
    async sweep() {
      sweeps++
      if (fails) throw new Unavailable('away')
      return 0
    },
  })
  const done = keeping.run()
  await settle()
  assert.is(sweeps, 1)
  await clock.pass(limits.registrationRetryMs - 1)
  assert.is(sweeps, 1)
  fails = false
  await clock.pass(1)
  assert.is(sweeps, 2)
  await clock.pass(limits.registrationSweepMs - 1)
  assert.is(sweeps, 2)
  await clock.pass(1)
  assert.is(sweeps, 3)
  keeping.late()
  await settle()
  assert.is(sweeps, 3)
  await clock.pass(limits.registrationRetryMs)
  assert.is(sweeps, 4)
  stopping.abort()
  await done
})

test('each registration that changes is told of, and once that any may have', async () => {
  const clock = clockOf()
  const stopping = new AbortController()
  const told: (string | undefined)[] = []
  const done = followDevices({
    clock, stopping: stopping.signal, log: quiet, token: () => '',
    systemConfig: {
      dump: async () => ({ items: [], revision: 7, more: false }),
      async *watch({ after }) {
        if (after === 7) yield { type: 'put' as const, key: 'devices/node1/doc', value: '{}', revision: 8 }
      },
    },
    onDevice: async (host) => void told.push(host),
  })
  await settle()
  assert.equal(told, [undefined, 'node1'])
  stopping.abort()
  await done
})

interface Child {
  say(line: string): void
  exit(code: number): void
  readonly ended: () => boolean
}

/** A machine whose programs do as the test says. */
function asking() {
  const children: Child[] = []
  const clock = clockOf()
  const host: Pick<Host, 'spawnProcess' | 'machine'> = {
    machine: { program: async (path: string) => ({ path, executable: true, closed: undefined }) } as never,
    async spawnProcess() {
      let ended = false
      let onLine: (stream: 'stdout', line: string) => void = () => {}
      let onExit: (exit: { code: number; signal: undefined }) => void = () => {}
      children.push({
        say: (line) => onLine('stdout', line), exit: (code) => onExit({ code, signal: undefined }), ended: () => ended,
      })
      return {
        processId: children.length, onDropped() {}, signal() {},
        onLine: (listener) => { onLine = listener }, onExit: (listener) => { onExit = listener as typeof onExit },
        async end() {
          ended = true
          return 0
        },
      }
    },
  }
  return { clock, children, hook: createHook({ host, clock, random: systemRandom, program: '/bin/hook', folder: '/' }) }
}

test('a program has the time of the limit, and is ended then', async () => {
  const { clock, children, hook } = asking()
  let verdict: { allowed: boolean } | undefined
  void hook('{}').then((answer) => { verdict = answer })
  await settle()
  await clock.pass(limits.hookMs - 1)
  assert.is(verdict, undefined)
  await clock.pass(1)
  await settle()
  assert.equal([verdict?.allowed, children[0]!.ended()], [false, true])
})

test('a program may say as many characters as the limit, of which a few are told on', async () => {
  const { children, hook } = asking()
  const answers = [hook('{}'), hook('{}')]
  await settle()
  for (const [at, child] of children.entries()) {
    child.say('x'.repeat(limits.hookCharacters - 1 + at))
    child.exit(0)
  }
  const [enough, tooMuch] = await Promise.all(answers)
  assert.equal([enough!.allowed, enough!.said.length], [true, limits.hookSaid])
  assert.is(tooMuch!.allowed, false)
})

test('as many programs as the limit are asked at a time; one more is a no, and others follow', async () => {
  const { children, hook } = asking()
  const answers = Array.from({ length: limits.hooks }, () => hook('{}'))
  await settle()
  assert.is((await hook('{}')).allowed, false)
  for (const child of children) child.exit(0)
  assert.ok((await Promise.all(answers)).every(({ allowed }) => allowed))
  const next = hook('{}')
  await settle()
  children.at(-1)!.exit(0)
  assert.is((await next).allowed, true)
})

test('the vault tells of as many hosts at a time as the limit', async () => {
  const vault = await joinable()
  const { document: _, ...stored } = await (async () => {
    await vault.enrolling.enrol(await asked(await makeToken(vault), 'node1', device()))
    return JSON.parse(new TextDecoder().decode((await vault.barrier.readBytes('join/hosts/node1'))!.value)) as {
      document?: string
    }
  })()
  const names = Array.from({ length: limits.joinedHostsPage }, (_, at) => `other${String(at).padStart(4, '0')}`)
  await vault.barrier.commit([], names.map((name) => ({ path: `join/hosts/${name}`, value: stored })))
  const open = (method: string, __: unknown, run: (args: object, call: object) => unknown) =>
    [method, run] as const
  const { joinedHosts } = joinHandlers({
    start: { step() {}, log: quiet, self: { zone: 'zone.local' } }, guarded: { open },
    core: { ports: { keys: {}, random: systemRandom, clock: vault.clock } },
  } as never, () => new Map([['pki', vault.pki]]))
  const [, page] = joinedHosts as unknown as [string, (args: object, call: object) => Promise<{
    hosts: unknown[]; more: boolean
  }>]
  const first = await page({}, { vault: { barrier: vault.barrier } })
  assert.equal([first.hosts.length, first.more], [limits.joinedHostsPage, true])
  const second = await page({ after: names.at(-2) }, { vault: { barrier: vault.barrier } })
  assert.equal([second.hosts.length, second.more], [1, false])
})

test('the command line lists as many hosts as the limit, and says that there are more', async () => {
  const one = (host: string) => ({ host, role: 'node', device: 'd', serial: 's', token: 't', joinedAt: 1 })
  const names = (from: number, to: number) => Array.from({ length: to - from }, (_, at) => one(`n${from + at}`))
  const answered = async (total: number): Promise<number> => {
    const client = {
      session: { token: async () => 'token' },
      platform: { transport: {
        async request({ path }: { path: string }) {
          const from = path === hostsPath ? 0 : Number(path.slice(`${hostsPath}?after=n`.length)) + 1
          const to = Math.min(total, from + 1_000)
          const body = JSON.stringify({ hosts: names(from, to), ...(to < total ? { next: `n${to - 1}` } : {}) })
          return { status: 200, headers: {}, body: [new TextEncoder().encode(body)] }
        },
      } },
    }
    return (await joinedHostsOf({ absolute: (path: string) => path } as never, client as never, '.').list()).length
  }
  assert.is(await answered(limits.clientHosts), limits.clientHosts)
  let failed: unknown
  await answered(limits.clientHosts + 1_001).catch((error: unknown) => { failed = error })
  assert.is((failed as ZonewrightError).code, new LimitExceeded('').code)
})

test.run()
