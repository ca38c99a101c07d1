import { StoreDamaged, Unavailable } from '../../runtime/errors.ts'
import type { ActorDefinition, ActorStart, Serving } from '../../runtime/actor.ts'
import type { Keys } from '../../runtime/platform/ports.ts'
import type { Protocol } from '../../runtime/protocol.ts'
import type { Operation, Store } from '../../runtime/store/store.ts'
import { signToken, tokenLifetimeSeconds } from '../../runtime/trust/token.ts'

/**
 * Actors of the zone with one effect taken away, and nothing else of them changed: what a documented step says must
 * not be marked where what it says did not happen.
 */
export interface Variant {
  /** Name of the actor that is changed. */
  readonly actor: string
  readonly change: Change
}

export type Change = (definition: ActorDefinition) => ActorDefinition

type AnyCall = (...args: readonly unknown[]) => Promise<unknown>
type Handlers = Record<string, AnyCall>

const starting = (given: (start: ActorStart) => ActorStart): Change => (definition) => ({
  ...definition,
  start: (start) => definition.start(given(start)),
})

export const withoutEnv = (name: string): Change =>
  starting((start) => {
    const { [name]: _, ...env } = start.env
    return { ...start, env }
  })

export const withEnv = (name: string, make: (start: ActorStart) => string): Change =>
  starting((start) => ({ ...start, env: { ...start.env, [name]: make(start) } }))

const withSecret = (name: string, make: (start: ActorStart) => string): Change =>
  starting((start) => ({ ...start, secrets: { ...start.secrets, [name]: make(start) } }))

/** The object, whatever it is made of, with some of its methods replaced. */
const overlaid = <T extends object>(original: T, replaced: Partial<T>): T =>
  new Proxy({} as T, {
    get(_, name) {
      if (Object.hasOwn(replaced, name)) return replaced[name as keyof T]
      const value: unknown = Reflect.get(original, name, original)
      return typeof value === 'function' ? value.bind(original) as unknown : value
    },
  })

/** A call of the actor's own to an actor that it needs. */
const withNeed = (need: string, method: string, replace: (original: AnyCall) => AnyCall): Change =>
  starting((start) => {
    const client = start.needs[need] as unknown as Record<string, AnyCall>
    const changed = overlaid(client, { [method]: replace((...args) => client[method]!(...args)) })
    return { ...start, needs: { ...start.needs, [need]: changed as unknown as ActorStart['needs'][string] } }
  })

const withHandler =
  (method: string, replace: (original: AnyCall, start: ActorStart) => AnyCall): Change => (definition) => ({
    ...definition,
    async start(start) {
      const serving = await definition.start(start)
      const { handlers, lifecycle = {} } = ('handlers' in serving ? serving : { handlers: serving }) as {
        handlers: Handlers
        lifecycle?: object
      }
      const changed = {
        ...handlers,
        [method]: replace((...args) => Promise.resolve(handlers[method]!(...args)), start),
      }
      return { handlers: changed, lifecycle } as unknown as Serving<Protocol, {}>
    },
  })

const withStore = (replace: (store: Store) => Partial<Store>): Change =>
  starting((start) => ({ ...start, store: overlaid(start.store, replace(start.store)) }))

const broken = (): Error => new StoreDamaged('The disk of this test is broken')

/** Transactions that write a key of this prefix fail. */
const cannotWrite = (prefix: string): Change =>
  withStore((store) => ({
    async transact(compares, operations) {
      if (operations.some(({ key }) => key.startsWith(prefix))) throw broken()
      return store.transact(compares, operations)
    },
  }))

/** Transactions succeed, but what they write below this prefix is not there. */
const losesWrites = (prefix: string): Change =>
  withStore((store) => ({
    transact: (compares, operations) =>
      store.transact(compares, operations.filter(({ key }: Operation) => !key.startsWith(prefix))),
  }))

/** As the real one in every claim, but nobody trusts the key that signed it. */
const forgedBootToken = ({ clock, keys, random, self }: ActorStart): string => {
  const iat = Math.floor(clock.now() / 1000)
  return signToken(keys.generate(random.fork('forger')), {
    iss: self.host,
    sub: 'scheduler',
    aud: ['system-config'],
    iat,
    exp: iat + tokenLifetimeSeconds.boot,
    jti: 'forged-jti',
    token_use: 'boot',
    appid: 'scheduler',
    runtime_type: 'kernel-service',
    epoch: 0,
  })
}

const forgedLoginToken = ({ clock, keys, random, self }: ActorStart): string => {
  const iat = Math.floor(clock.now() / 1000)
  return signToken(keys.generate(random.fork('forger')), {
    iss: self.host,
    sub: self.host,
    aud: ['verify-hub'],
    iat,
    exp: iat + tokenLifetimeSeconds.login,
    jti: 'forged-jti',
    token_use: 'login',
    appid: self.actor,
    runtime_type: self.runtimeType,
    epoch: 0,
  })
}

/**
 * Every key that is made is the one that a test can make as well: it speaks as verify-hub then, and what it signs is
 * refused for what it says and for nothing else.
 */
export const knownKeys = (keys: Keys): Keys => ({
  ...keys,
  generate: () => keys.generate({ bytes: (length) => new Uint8Array(length).fill(7), fork: () => neverForked() }),
})

const neverForked = (): never => {
  throw new Error('A key is made of the bytes of its own random source')
}

const notNow = async (): Promise<never> => {
  throw new Unavailable('Not in this test')
}

const never = (): Promise<never> => new Promise(() => {})

export const variants = {
  systemConfigWithoutTrustKey: { actor: 'system-config', change: withoutEnv('BUCKYOS_THIS_DEVICE') },
  bootSchedulerWithoutToken: { actor: 'boot-scheduler', change: withoutEnv('SCHEDULER_SESSION_TOKEN') },
  bootSchedulerWithForgedToken: {
    actor: 'boot-scheduler',
    change: withEnv('SCHEDULER_SESSION_TOKEN', forgedBootToken),
  },
  vaultKeepsNoKey: { actor: 'vault', change: cannotWrite('keys/verify-hub') },
  systemConfigKeepsNothing: { actor: 'system-config', change: cannotWrite('kv/boot/config') },
  systemConfigLosesBootConfig: { actor: 'system-config', change: losesWrites('kv/boot/config') },
  systemConfigLosesNodeConfig: { actor: 'system-config', change: losesWrites('kv/nodes/') },
  nodeDaemonWithOtherKey: {
    actor: 'node-daemon',
    change: withSecret('device-key', ({ keys, random }) => keys.generate(random.fork('other')).exportPem()),
  },
  vaultRecordsNoGrant: { actor: 'vault', change: cannotWrite('grants/') },
  vaultGivesAnotherKey: {
    actor: 'vault',
    change: withHandler('readKey', (original, { keys, random }) => async (...args) => {
      const other = keys.generate(random.fork('other'))
      return { ...await original(...args) as object, pem: other.exportPem() }
    }),
  },
  vaultMakesAKnownKey: { actor: 'vault', change: starting((start) => ({ ...start, keys: knownKeys(start.keys) })) },
  verifyHubCannotRead: { actor: 'verify-hub', change: withNeed('systemConfig', 'get', () => notNow) },
  serviceWithoutLoginToken: { actor: 'service', change: withoutEnv('SERVICE_SESSION_TOKEN') },
  serviceWithForgedLoginToken: { actor: 'service', change: withEnv('SERVICE_SESSION_TOKEN', forgedLoginToken) },
  verifyHubKeepsNoSessions: { actor: 'verify-hub', change: cannotWrite('sessions/') },
  serviceLosesItsPair: {
    actor: 'service',
    change: withNeed('verifyHub', 'loginByJwt', (original) => async (...args) => {
      await original(...args)
      throw broken()
    }),
  },
  schedulerReadsNothing: { actor: 'scheduler', change: withNeed('systemConfig', 'dump', () => never) },
  verifyHubRefreshesNobody: { actor: 'verify-hub', change: withHandler('refreshToken', () => notNow) },
  gatewayCannotListen: {
    actor: 'gateway',
    change: starting((start) => ({ ...start, transport: { ...start.transport, serveHttp: notNow } })),
  },
  serviceThrowsAtStart: {
    actor: 'service',
    change: (definition: ActorDefinition): ActorDefinition => ({
      ...definition,
      start() {
        throw new TypeError('Cannot read properties of this test')
      },
    }),
  },
  serviceNeverStarts: {
    actor: 'service',
    change: (definition: ActorDefinition) => ({ ...definition, start: never }),
  },
  vaultNeverStarts: { actor: 'vault', change: (definition: ActorDefinition) => ({ ...definition, start: never }) },
} satisfies Readonly<Record<string, Variant>>

export type VariantName = keyof typeof variants
