import systemConfigActor from '../../actors/system-config/actor.ts'
import type { SystemConfig } from '../../actors/system-config/protocol.ts'
import { zoneDocumentType } from '../../actors/zone-document.ts'
import { deviceDocumentType } from '../../actors/records.ts'
import type { ActorStart, Evidence, Handlers, Lifecycle, Peer } from '../../runtime/actor.ts'
import { noCarriage } from '../../runtime/carriage.ts'
import { Cancelled, Denied, type ErrorClass, type ZonewrightError } from '../../runtime/errors.ts'
import { createCrypto } from '../../runtime/platform/crypto.ts'
import type { Clock, SigningKey } from '../../runtime/platform/ports.ts'
import { systemRandom } from '../../runtime/platform/random.ts'
import type { Client } from '../../runtime/protocol.ts'
import { createMemoryStore } from '../../runtime/store/memory.ts'
import type { Store } from '../../runtime/store/store.ts'
import { toBase64url } from '../../runtime/trust/base64url.ts'
import { createDenialLog, type DenialLog } from '../../runtime/trust/denial.ts'
import { signDocument } from '../../runtime/trust/keys.ts'
import { signToken, type TokenClaims } from '../../runtime/trust/token.ts'

/** system-config as its host starts it, on a memory store; calls come in as the runtime hands them to an actor. */
export const crypto = await createCrypto()
const START_MS = 1_795_000_000_000
const key = (): SigningKey => crypto.generate(systemRandom)

export const peer = (actor: string, changes: Partial<Peer> = {}): Peer => ({
  zone: 'z1', host: 'ood1', actor, runtimeType: 'service', incarnation: 1, kid: `${actor}-link-1`, ...changes,
})

export const supervisor = peer('supervisor', { runtimeType: 'ood' })

export interface Running {
  readonly lifecycle: Lifecycle
  readonly steps: { number: number; evidence: Evidence }[]
  readonly said: string[]
  readonly denials: DenialLog
  /** A caller on a link of its own, which presents this token with every call. */
  as(token: string | undefined, from?: Peer, link?: string): Client<typeof SystemConfig>
  stop(): void
}

type MakeToken = (changes?: Partial<TokenClaims>, by?: SigningKey) => string
type FixedClaims = Omit<TokenClaims, 'iat' | 'exp' | 'jti' | 'epoch'>

export interface TestZone {
  readonly store: Store
  readonly clock: Clock
  readonly owner: SigningKey
  readonly device: SigningKey
  readonly hub: SigningKey
  readonly other: SigningKey
  readonly env: Record<string, string>
  /** Of another OOD. */
  envOf(host: string): Record<string, string>
  now: number
  /** Moves on, and runs what falls due. */
  elapse(ms: number): Promise<void>
  /** Tokens of each kind that system-config meets. */
  readonly tokens: Readonly<Record<'boot' | 'device' | 'verifyHub' | 'root', MakeToken>>
    & { session(appid: string, changes?: Partial<TokenClaims>, by?: SigningKey): string }
  bootConfig(changes?: object): string
  start(env?: Record<string, string>, around?: Around): Promise<Running>
  /** Starts it and makes the boot transaction, with these keys beside `boot/config`. */
  booted(more?: Record<string, string>): Promise<Running>
  boot(running: Running, more?: Record<string, string>): Promise<{ revision: number }>
}

/** Ways in which a host can be slower than a test. */
interface Around {
  /** What happens in the store is heard of late, as if by another host. */
  readonly deaf?: boolean
  /** What was written is answered late. */
  readonly slow?: boolean
  /** Which OOD it is. Default: the first. */
  readonly host?: string
  /** Reaches the store in a way of its own. */
  readonly store?: Store
}

interface Serving {
  readonly handlers: Handlers<typeof SystemConfig>
  readonly lifecycle: Lifecycle
}

let links = 0

/** `clock`: the machine's. Else time stands still, and `elapse` moves it on. */
export function testZone({ clock: real }: { clock?: Clock } = {}): TestZone {
  const [owner, device, hub, other] = [key(), key(), key(), key()]
  const timers = new Set<{ at: number; task: () => void }>()
  const clock: Clock = real ?? {
    now: () => zone.now, monotonic: () => zone.now, soon: (task) => queueMicrotask(task),
    after(delayMs, task) {
      const timer = { at: zone.now + delayMs, task }
      timers.add(timer)
      return () => void timers.delete(timer)
    },
  }
  const store = createMemoryStore({ clock, random: systemRandom })
  const deviceDocument = {
    zone: 'z1', name: 'ood1', role: 'ood', key: device.public.jwk, owner: 'alice', iat: START_MS / 1000,
  }
  const token = (by: SigningKey, claims: FixedClaims, life: number, changes: Partial<TokenClaims> = {}) => {
    const iat = Math.floor(clock.now() / 1000)
    const jti = toBase64url(systemRandom.bytes(12))
    return signToken(by, { iat, exp: iat + life, jti, epoch: 0, ...claims, ...changes })
  }
  const aud = ['system-config']
  const zone: TestZone = {
    store, owner, device, hub, other, now: START_MS, clock,
    async elapse(ms) {
      zone.now += ms
      for (const timer of [...timers].filter(({ at }) => at <= zone.now)) {
        timers.delete(timer)
        timer.task()
      }
      await settle()
    },
    env: {
      BUCKYOS_ZONE_DOC: signDocument(owner, zoneDocumentType, {
        zone: 'z1', owner: 'alice', root: owner.public.jwk, host: 'ood1', epoch: 0, iat: 1,
      }),
      BUCKYOS_THIS_DEVICE: signDocument(owner, deviceDocumentType, deviceDocument),
    },
    envOf: (host) => ({
      BUCKYOS_THIS_DEVICE: signDocument(owner, deviceDocumentType, {
        ...deviceDocument, name: host, key: key().public.jwk,
      }),
    }),
    tokens: {
      boot: (changes, by = device) => token(by, {
        iss: 'ood1', sub: 'scheduler', aud, token_use: 'boot', appid: 'scheduler', runtime_type: 'kernel-service',
      }, 900, changes),
      device: (changes, by = device) => token(by, {
        iss: 'ood1', sub: 'ood1', aud, token_use: 'session', appid: 'node-daemon', runtime_type: 'ood',
      }, 900, changes),
      verifyHub: (changes, by = hub) => token(by, {
        iss: 'verify-hub', sub: 'verify-hub', aud, token_use: 'session', appid: 'verify-hub',
        runtime_type: 'kernel-service',
      }, 900, changes),
      root: (changes, by = owner) => token(by, {
        iss: 'root', sub: 'root', aud, token_use: 'root', appid: 'cli', runtime_type: 'user',
      }, 300, changes),
      session: (appid, changes, by = hub) => token(by, {
        iss: 'verify-hub', sub: 'ood1', aud: [appid, 'system-config'], token_use: 'session', appid, sid: `sid-${appid}`,
        runtime_type: 'kernel-service',
      }, 900, changes),
    },
    bootConfig: (changes = {}) =>
      JSON.stringify({ zone: 'z1', root: owner.public.jwk, verifyHub: [hub.public.jwk], epoch: 0, ...changes }),
    async start(env = {}, { deaf = false, slow = false, host = 'ood1', store: own } = {}) {
      const stopping = new AbortController()
      const { start, steps, said } = actorStart(zone, clock, { ...zone.env, ...env }, stopping.signal)
      if (deaf) start.background = () => {}
      if (slow) start.store = slowStore(store)
      if (own) start.store = own
      start.self = { ...start.self, host }
      const serving = await systemConfigActor.start(start as never) as Serving
      return {
        lifecycle: serving.lifecycle, steps, said, denials: start.denials, stop: () => stopping.abort(),
        as: (text, from = peer('test'), link = `link-${++links}`) => clientOf(serving, text, from, link),
      }
    },
    boot: (running, more = {}) => running.as(zone.tokens.boot(), peer('boot-scheduler')).execTx({
      actions: Object.fromEntries(Object.entries({ 'boot/config': zone.bootConfig(), ...more })
        .map(([name, value]) => [name, { action: 'create' as const, value }])),
      mainKey: { key: 'boot/config', revision: 0 },
    }),
    async booted(more = {}) {
      const running = await zone.start()
      await zone.boot(running, more)
      return running
    },
  }
  return zone
}

function actorStart(zone: TestZone, clock: Clock, env: Record<string, string>, stopping: AbortSignal) {
  const steps: Running['steps'] = []
  const said: string[] = []
  const say = (message: string, fields?: Evidence): void => void said.push(`${message} ${JSON.stringify(fields)}`)
  const start: { -readonly [K in keyof Omit<ActorStart<{}>, 'transport'>]: ActorStart<{}>[K] } = {
    store: zone.store, clock, random: systemRandom, keys: crypto, needs: {}, env, secrets: {}, stopping,
    log: { info: say, warn: say, error: say },
    denials: createDenialLog({ random: systemRandom, clock }),
    background: (task) => void task().catch((error: unknown) => say(`background: ${String(error)}`)),
    count: () => {}, gauge: () => {},
    ...noCarriage,
    roleOf: (host) => ({ ood1: 'ood', ood2: 'ood', node1: 'node' } as const)[host],
    unbind: () => {},
    step: (_, number, evidence) => void steps.push({ number, evidence }),
    self: {
      zone: 'z1', host: 'ood1', actor: 'system-config', runtimeType: 'kernel-service', incarnation: 1, linkKid: 'own',
    },
  }
  return { start, steps, said }
}

const slowStore = (store: Store): Store => new Proxy(store, {
  get(target, name) {
    const value = Reflect.get(target, name)
    if (typeof value !== 'function') return value
    const method = value.bind(target) as (...args: never[]) => unknown
    return name !== 'transact' ? method : async (...args: never[]) => {
      const result = await method(...args)
      await settle()
      return result
    }
  },
})

interface Cancel { readonly signal?: AbortSignal }

/** As the runtime: a stream that its reader cancels ends for both at once. */
async function* cancellable<T>(items: AsyncIterable<T>, signal: AbortSignal): AsyncIterable<T> {
  const iterator = items[Symbol.asyncIterator]()
  const cancelled = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(new Cancelled('The caller cancelled the stream')), { once: true })
  })
  cancelled.catch(() => {})
  try {
    for (;;) {
      const next = await Promise.race([iterator.next(), cancelled])
      if (next.done === true) return
      yield next.value
    }
  } finally {
    void iterator.return?.()
  }
}

/** As runtime/link/serve.ts does it: the token is judged for each call, and the verdict is the call's principal. */
function clientOf(
  { handlers, lifecycle }: Serving, token: string | undefined, from: Peer, link: string,
): Client<typeof SystemConfig> {
  const context = async (method: string, signal: AbortSignal): Promise<never> => ({
    principal: token === undefined
      ? { sub: from.actor, appid: from.actor, runtimeType: from.runtimeType, sudo: false }
      : await lifecycle.authenticate!(token, from, { method, link }),
    peer: from, token, signal, deadline: Infinity,
  }) as never
  const named = handlers as unknown as Record<string, (args: never, cx: never) => unknown>
  const call = (method: string) => async (args: never) =>
    named[method]!(args, await context(method, new AbortController().signal))
  const stream = (method: 'watch' | 'enforcement') => async function* (args: never, settings?: Cancel) {
    const signal = settings?.signal ?? new AbortController().signal
    const items = handlers[method](args, await context(method, signal)) as AsyncIterable<never>
    yield* cancellable(items, signal)
  }
  const methods = Object.keys(handlers).map((method) =>
    [method, method === 'watch' || method === 'enforcement' ? stream(method) : call(method)])
  return Object.fromEntries(methods) as Client<typeof SystemConfig>
}

/** A booted zone and root, who may do all of this; who else may is the matter of other tests. */
export async function rooted() {
  const zone = testZone()
  const running = await zone.booted()
  return { zone, running, kv: running.as(zone.tokens.root()) }
}

/** As a scheduler and a person wrote it. */
export const policy = `
# written by the scheduler
g, alice, user
g, bob, user
g, carol, admin
g, notes, app
g, panel, console
g, ood1, ood
p, su_alice, kv://users/alice/key_settings, read|write, allow
p, readers, zone/*/public, read
g, bob, readers
p, console, zone/*, read
`

/** The error of this class that `run` must end with. */
export async function failure(Class: ErrorClass, run: () => unknown): Promise<ZonewrightError> {
  let answer: unknown
  try {
    answer = await run()
  } catch (error) {
    if (error instanceof Class) return error
    throw error
  }
  throw new Error(`Nothing was thrown: ${JSON.stringify(answer)}`)
}

/** The reason that `run` is denied for. */
export const denied = async (run: () => unknown): Promise<unknown> => (await failure(Denied, run)).details['reason']

export type Change = { type: 'put' | 'delete'; key: string; value: string; revision: number }
/** The first `count` items, then the stream is ended. */
export async function take(stream: AsyncIterable<Change>, count: number): Promise<Change[]> {
  const taken: Change[] = []
  for await (const change of stream) {
    taken.push(change)
    if (taken.length === count) break
  }
  return taken
}
export const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0))
