import * as assert from 'uvu/assert'
import vault from '../../actors/vault/actor.ts'
import { type Vault } from '../../actors/vault/protocol.ts'
import type { ActorStart, Evidence, Handlers, Lifecycle, Peer } from '../../runtime/actor.ts'
import { type ErrorClass, type ZonewrightError } from '../../runtime/errors.ts'
import { systemClock } from '../../runtime/platform/clock.ts'
import { createCrypto } from '../../runtime/platform/crypto.ts'
import type { Clock, Files, Random } from '../../runtime/platform/ports.ts'
import { systemRandom } from '../../runtime/platform/random.ts'
import { createMemoryStore } from '../../runtime/store/memory.ts'
import type { Store } from '../../runtime/store/store.ts'
import { toBase64url } from '../../runtime/trust/base64url.ts'
import { createDenialLog, type DenialLog } from '../../runtime/trust/denial.ts'

export const keys = await createCrypto()
export const newStore = (): Store => createMemoryStore({ clock: systemClock, random: systemRandom })
export const newUnsealKey = (): string => toBase64url(systemRandom.bytes(32))
export const kernelPeer = (actor: string, changes: Partial<Peer> = {}): Peer => ({
  zone: 'z1', host: 'ood1', actor, runtimeType: 'kernel-service', incarnation: 1, kid: `${actor}-link-1`, ...changes,
})
export const bootScheduler = kernelPeer('boot-scheduler')
export const verifyHub = kernelPeer('verify-hub')
export const supervisor = kernelPeer('supervisor', { runtimeType: 'ood' })

export interface Started {
  readonly handlers: Handlers<typeof Vault>
  readonly lifecycle: Lifecycle
  readonly steps: { sequence: string; number: number; evidence: Evidence }[]
  /** Everything the vault said outside its answers. */
  readonly said: string[]
  readonly denials: DenialLog
  /** What its background work failed with. */
  readonly failures: Error[]
}

/** What a test gives it beside its store. */
export interface Surroundings {
  readonly random?: Random
  readonly env?: Record<string, string>
  readonly files?: Files
  readonly clock?: Clock
  readonly host?: string
}

/** Starts the real actor; only what is around it (mailbox, links) is absent. */
export const start = (
  store: Store, secrets: Record<string, string>, random: Random = systemRandom, env: Record<string, string> = {},
): Promise<Started> => startIn(store, secrets, { random, env })

export async function startIn(
  store: Store, secrets: Record<string, string>, around: Surroundings = {},
): Promise<Started> {
  const { random = systemRandom, env = {}, files, host = 'ood1' } = around
  const failures: Error[] = []
  const steps: Started['steps'] = []
  const said: string[] = []
  const say = (message: string, fields?: Evidence): void => void said.push(`${message} ${JSON.stringify(fields)}`)
  const clock = around.clock ?? { ...systemClock, now: () => 1_795_000_000_000 }
  const onDenial = (record: object): void => void said.push(JSON.stringify(record))
  const denials = createDenialLog({ random: systemRandom, clock, onDenial })
  const given = {
    store, random, keys, clock, secrets, env, needs: {}, denials,
    log: { info: say, warn: say, error: say },
    stopping: new AbortController().signal,
    ...(files ? { files: async () => files } : {}),
    background(task: () => Promise<void>) {
      task().catch((error: Error) => void failures.push(error))
    },
    step(sequence: string, number: number, evidence: Evidence) {
      steps.push({ sequence, number, evidence })
    },
    self: {
      zone: 'z1', host, actor: 'vault', runtimeType: 'kernel-service', incarnation: 1, linkKid: 'vault-link-1',
    },
  } as unknown as ActorStart<{}>
  const serving = await vault.start(given) as { handlers: Handlers<typeof Vault>; lifecycle: Lifecycle }
  return { ...serving, steps, said, denials, failures }
}

export const as = (peer: Peer) => ({ peer }) as never
export const ensure = async (handlers: Started['handlers']) =>
  handlers.ensureKey({ name: 'verify-hub' }, as(bootScheduler))
export const takeShares = async (handlers: Started['handlers']) => handlers.takeRecoveryShares({}, as(supervisor))

export async function failure(Class: ErrorClass, run: () => unknown): Promise<ZonewrightError> {
  try {
    await run()
  } catch (error) {
    assert.instance(error, Class, `expected ${Class.name}, got ${String(error)}`)
    return error as ZonewrightError
  }
  throw new Error('Nothing was thrown')
}

export async function contents(store: Store): Promise<Map<string, Uint8Array>> {
  const { entries } = await store.list('')
  return new Map(entries.map(({ key, value }) => [key, value]))
}

export const hex = (text: string): Uint8Array =>
  Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))

export async function furnished() {
  const store = newStore()
  const secrets = { 'unseal-key': newUnsealKey() }
  const { handlers } = await start(store, secrets)
  await ensure(handlers)
  await handlers.putSecret({ path: 'verify-hub/a', value: 'one' }, as(verifyHub))
  await handlers.putSecret({ path: 'verify-hub/b', value: 'two' }, as(verifyHub))
  const entries = await contents(store)
  const use = async (path: string): Promise<unknown> => {
    if (path.startsWith('core/')) return start(store, secrets)
    if (path.startsWith('keys/')) return ensure(handlers)
    const secret = path.includes('verify-hub/b') ? 'verify-hub/b' : 'verify-hub/a'
    return handlers.getSecret({ path: secret }, as(verifyHub))
  }
  const encrypted = [...entries.keys()].filter((path) => path !== 'core/seal-config')
  return { store, entries, encrypted, use, secrets }
}
