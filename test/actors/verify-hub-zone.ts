import vaultActor from '../../actors/vault/actor.ts'
import type { Vault } from '../../actors/vault/protocol.ts'
import verifyHubActor from '../../actors/verify-hub/actor.ts'
import type { TokenPair, VerifyHub } from '../../actors/verify-hub/protocol.ts'
import { deviceDocumentType, kv, type ServiceSpec } from '../../actors/records.ts'
import { schedule } from '../../actors/scheduler/schedule.ts'
import { onlyUse, rulesFor } from '../../actors/trust-matrix.ts'
import type { ActorStart, CallContext, Evidence, Handlers, Lifecycle, Peer } from '../../runtime/actor.ts'
import { noCarriage } from '../../runtime/carriage.ts'
import { Denied, type ErrorClass, Unavailable, type ZonewrightError } from '../../runtime/errors.ts'
import { createCrypto } from '../../runtime/platform/crypto.ts'
import type { Clock, Keys, SigningKey } from '../../runtime/platform/ports.ts'
import { systemRandom } from '../../runtime/platform/random.ts'
import type { Infer } from '../../runtime/protocol.ts'
import { createMemoryStore } from '../../runtime/store/memory.ts'
import type { Store } from '../../runtime/store/store.ts'
import { fromBase64url, toBase64url } from '../../runtime/trust/base64url.ts'
import { createDenialLog } from '../../runtime/trust/denial.ts'
import { signDocument, trustKeyOf } from '../../runtime/trust/keys.ts'
import { signToken, type TokenClaims } from '../../runtime/trust/token.ts'
import { verifyTokenSync } from '../../runtime/trust/verify.ts'
import { KvRecords } from './kv-records.ts'
import { manualClock, START_MS, type ManualClock } from './manual-clock.ts'

export { manualClock, type ManualClock }

/**
 * The real verify-hub on a real vault and a memory store. Of system-config there is `kv://` as a map, behind the
 * real rules of the trust matrix; system-config itself is met in the tests that boot a zone.
 */

export const crypto = await createCrypto()
/** Counts what costs. */
const slowHashes = { count: 0 }
export const countSlowHashes = async (run: () => Promise<unknown>): Promise<number> => {
  const before = slowHashes.count
  await run()
  return slowHashes.count - before
}
const keys: Keys = {
  ...crypto,
  // A cheap stand-in: what is counted here is how often it runs, and what it costs is measured elsewhere
  slowHash: async (password, salt) => {
    slowHashes.count++
    return crypto.derive(password, salt, 'slow', 32)
  },
}

export interface TestZone {
  readonly clock: ManualClock
  readonly owner: SigningKey
  readonly devices: Readonly<Record<'ood1' | 'node1', SigningKey>>
  readonly hubKey: SigningKey
  readonly kv: KvRecords
  readonly store: Store
  readonly vaultStore: Store
  /** What system-config is like when it does not look at tokens. */
  unchecked: boolean
  vaultAway: boolean
  /** Names that were read, and the tokens of verify-hub itself that read them. */
  readonly reads: { key: string; exp: number }[]
  put(key: string, value: unknown): void
  boot(changes?: object): void
  /** On the zone's own store, or on another. */
  start(store?: Store): Promise<Running>
  /** The vault as it is in the store, called by verify-hub. */
  readonly vault: Handlers<typeof Vault>
  login(changes?: Partial<TokenClaims>, key?: SigningKey): string
}

export interface Running {
  readonly handlers: Handlers<typeof VerifyHub>
  readonly lifecycle: Lifecycle
  readonly steps: { number: number; evidence: Evidence }[]
  readonly said: string[]
  readonly self: Peer
  /** What background work failed with: the actor's end. */
  readonly ended: unknown[]
  readonly counted: Readonly<Record<string, number>>
  /** What a handler is given when this peer calls. */
  as(peer: Peer): CallContext<never>
  stop(): void
}

export const peer = (actor: string, changes: Partial<Peer> = {}): Peer => ({
  zone: 'z1', host: 'ood1', actor, runtimeType: 'service', incarnation: 1, kid: `${actor}-link-1`, ...changes,
})

const spec = (name: string, changes: Partial<ServiceSpec> = {}): ServiceSpec => ({
  name, appid: name, owner: null, runtimeType: 'service', kernel: false, audiences: [], ...changes,
})

export async function testZone(): Promise<TestZone> {
  const clock = manualClock()
  const owner = keys.generate(systemRandom)
  const devices = { ood1: keys.generate(systemRandom), node1: keys.generate(systemRandom) }
  const store = createMemoryStore({ clock, random: systemRandom })
  const vaultStore = createMemoryStore({ clock, random: systemRandom })
  const secrets = { 'unseal-key': toBase64url(systemRandom.bytes(32)) }
  const records = new KvRecords()
  const reads: TestZone['reads'] = []
  let incarnation = 0
  const zone = { unchecked: false, vaultAway: false }

  const vault = async (): Promise<Handlers<typeof Vault>> => {
    const start = actorStart('vault', { store: vaultStore, clock, secrets, incarnation: 1 })
    return (await vaultActor.start(start as never) as { handlers: Handlers<typeof Vault> }).handlers
  }
  const vaultHandlers = await vault()
  const bootScheduler = peer('boot-scheduler', { runtimeType: 'kernel-service' })
  await vaultHandlers.ensureKey({ name: 'verify-hub' }, { peer: bootScheduler } as never)
  const reader = peer('verify-hub', { runtimeType: 'kernel-service', incarnation: 0, kid: 'test-reads-the-key' })
  const hubKey = keys.importPem((await vaultHandlers.readKey({ name: 'verify-hub' }, { peer: reader } as never)).pem)

  const put = (key: string, value: unknown): void => {
    records.set(key, typeof value === 'string' ? value : JSON.stringify(value))
    if (!/^(users|services)\//.test(key)) return
    // What the scheduler makes of it
    records.set(kv.policy, schedule(records, () => undefined, () => {}).get(kv.policy)!)
  }
  const boot = (changes: object = {}): void =>
    put(kv.bootConfig, { zone: 'z1', root: owner.public.jwk, verifyHub: [hubKey.public.jwk], epoch: 0, ...changes })
  const document = (name: 'ood1' | 'node1', role: string): string => signDocument(owner, deviceDocumentType, {
    zone: 'z1', name, role, key: devices[name].public.jwk, owner: 'alice', iat: START_MS / 1000,
  })
  const node = (host: string, ...names: string[]): void => {
    const services = Object.fromEntries(names.map((name) => [name, { target: 'running', specRevision: 1 }]))
    put(kv.node(host), { host, state: 'running', services })
  }
  const config = ['system-config']

  boot()
  put(kv.device('ood1'), document('ood1', 'ood'))
  put(kv.device('node1'), document('node1', 'node'))
  node('ood1', 'scheduler', 'gateway', 'service', 'notes')
  node('node1', 'scheduler', 'service')
  put(kv.spec('scheduler'), spec('scheduler', { runtimeType: 'kernel-service', kernel: true, audiences: config }))
  put(kv.spec('gateway'), spec('gateway', { runtimeType: 'gateway', audiences: config }))
  put(kv.spec('service'), spec('service'))
  put(kv.spec('notes'), spec('notes', { owner: 'alice' }))
  put(kv.user('alice'), { name: 'alice', type: 'admin', state: 'active' })
  put(kv.user('bob'), { name: 'bob', type: 'user', state: 'active' })
  put(kv.spec('console'), spec('console', {
    runtimeType: 'client-device', audiences: ['system-config', 'verify-hub'],
  }))

  const checkSelfSession = (token: string): number => {
    const { root, verifyHub, epoch } = JSON.parse(records.get(kv.bootConfig) ?? '{"verifyHub":[],"epoch":0}')
    const trusted = [
      ...verifyHub.map((jwk: never) => trustKeyOf(keys, jwk, 'boot-config.verify-hub', 'verify-hub')),
      ...root ? [trustKeyOf(keys, root, 'boot-config.root', 'root')] : [],
    ]
    const verdict = verifyTokenSync(token, {
      keys, rules: onlyUse(rulesFor('system-config', 'normal'), 'session'), audience: 'system-config', epoch,
      nowSeconds: Math.floor(clock.now() / 1000), trustKey: (kid) => trusted.find((one) => one.kid === kid),
    })
    if (!verdict.accepted) throw new Denied(verdict.denial.detail, { reason: verdict.denial.reason })
    return verdict.claims.exp
  }

  const client = records.client((key, token) => {
    if (!zone.unchecked) reads.push({ key, exp: checkSelfSession(token) })
  })

  return Object.assign(zone, {
    clock, owner, devices, hubKey, kv: records, store, vaultStore, vault: vaultHandlers, reads, put, boot,
    login: (changes = {}, key = devices.ood1) => {
      const iat = Math.floor(clock.now() / 1000)
      return signToken(key, {
        iss: 'ood1', sub: 'ood1', aud: ['verify-hub'], iat, exp: iat + 1200, jti: toBase64url(systemRandom.bytes(12)),
        token_use: 'login', appid: 'service', runtime_type: 'service', epoch: 0, ...changes,
      })
    },
    async start(own = store) {
      incarnation++
      const kid = `verify-hub-link-${incarnation}`
      const self = peer('verify-hub', { runtimeType: 'kernel-service', incarnation, kid })
      const handlers = await vault()
      const vaultClient = Object.fromEntries(Object.entries(handlers).map(([name, handler]) =>
        [name, async (args: never) => {
          if (zone.vaultAway) throw new Unavailable('The vault is away')
          return handler(args, { peer: self } as never)
        }]))
      const needs = { systemConfig: client, vault: vaultClient }
      const stopping = new AbortController()
      const around = { store: own, clock, secrets: {}, incarnation, needs, stopping: stopping.signal }
      const start = actorStart('verify-hub', around)
      const serving = await verifyHubActor.start(start as never) as Pick<Running, 'handlers' | 'lifecycle'>
      return {
        ...serving, self, steps: start.steps, said: start.said, ended: start.ended, counted: start.counted,
        stop: () => stopping.abort(),
        as: (caller) => ({ peer: caller, ...needs }) as never,
      }
    },
  } satisfies Omit<TestZone, 'unchecked' | 'vaultAway'>)
}

interface Around {
  readonly store: Store
  readonly clock: Clock
  readonly secrets: Readonly<Record<string, string>>
  readonly incarnation: number
  readonly needs?: object
  readonly stopping?: AbortSignal
}

type Seen = Pick<Running, 'steps' | 'said' | 'counted' | 'ended'>

function actorStart(actor: string, around: Around) {
  const steps: Running['steps'] = []
  const said: string[] = []
  const ended: unknown[] = []
  const say = (message: string, fields?: Evidence): void => void said.push(`${message} ${JSON.stringify(fields)}`)
  const { incarnation } = around
  const counted: Record<string, number> = {}
  type Made = Omit<ActorStart, 'needs' | 'transport'> & Seen & { needs: object }
  const start: Made = {
    needs: {}, stopping: new AbortController().signal, ...around, random: systemRandom, keys, env: {}, steps, said,
    ended,
    denials: createDenialLog({
      random: systemRandom, clock: around.clock, onDenial: (record) => void said.push(JSON.stringify(record)),
    }),
    log: { info: say, warn: say, error: say },
    background: (task) => void task().catch((error: unknown) => void ended.push(error)),
    counted,
    count: (sample, by = 1) => void (counted[sample] = (counted[sample] ?? 0) + by),
    gauge: () => {},
    ...noCarriage,
    roleOf: (host) => ({ ood1: 'ood', node1: 'node' } as const)[host],
    unbind: () => {},
    step: (_, number, evidence) => void steps.push({ number, evidence }),
    self: {
      zone: 'z1', host: 'ood1', actor, runtimeType: 'kernel-service', incarnation,
      linkKid: `${actor}-link-${incarnation}`,
    },
  }
  return start
}

export const service = peer('service')
export const gateway = peer('gateway', { runtimeType: 'gateway' })
export const supervisor = peer('supervisor', { runtimeType: 'ood' })

/** The error of this class that `run` must end with. */
export async function failure(Class: ErrorClass, run: () => unknown): Promise<ZonewrightError> {
  let answer: unknown
  try {
    answer = await run()
  } catch (error) {
    if (error instanceof Class) return error
    // uvu takes `details` for text: of one of our errors it would print nothing
    throw new Error(`Another error was thrown: ${String(error)}`)
  }
  throw new Error(`Nothing was thrown: ${JSON.stringify(answer)}`)
}

/** The reason that `run` is denied for. */
export const denied = async (run: () => unknown): Promise<unknown> => (await failure(Denied, run)).details['reason']

export const claimsOf = (token: string): TokenClaims =>
  JSON.parse(new TextDecoder().decode(fromBase64url(token.split('.')[1]!)))
export const seconds = (zone: TestZone): number => Math.floor(zone.clock.now() / 1000)

export type Pair = Infer<typeof TokenPair>
export interface LoggedIn {
  readonly zone: TestZone
  readonly hub: Running
  readonly pair: Pair
}

/** The example service, logged in. */
export async function loggedIn(audiences: string[] = []): Promise<LoggedIn> {
  const zone = await testZone()
  const hub = await zone.start()
  const pair = await hub.handlers.loginByJwt({ jwt: zone.login(), audiences }, hub.as(service))
  return { zone, hub, pair }
}

export const refreshAs = async (hub: Running, refreshToken: string, as = service): Promise<Pair> =>
  hub.handlers.refreshToken({ refreshToken }, hub.as(as))
export const check = async (hub: Running, sessionToken: string, audience = 'service') =>
  hub.handlers.verifyToken({ sessionToken, audience }, hub.as(service))

/** The next version of verify-hub's key, made in the vault and read by an incarnation of its own. */
export async function nextKey({ vault, hubKey }: TestZone): Promise<SigningKey> {
  const reader = peer('verify-hub', { runtimeType: 'kernel-service', incarnation: 0, kid: 'test-reads-next' })
  const as = { peer: reader } as never
  const { kid } = await vault.rotateKey({ name: 'verify-hub', after: hubKey.public.kid }, as)
  return keys.importPem((await vault.readKey({ name: 'verify-hub', kid }, as)).pem)
}
