import type { ActorStart } from '../../runtime/actor.ts'
import { Denied, messageOf, Unavailable, ZonewrightError } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import type { SigningKey } from '../../runtime/platform/ports.ts'
import type { Client } from '../../runtime/protocol.ts'
import type { Entry } from '../../runtime/store/store.ts'
import { pause } from '../../runtime/within.ts'
import type { KeyVersion, Vault } from '../vault/protocol.ts'
import { VerifyHubKeyMismatch } from './protocol.ts'

/** Name of verify-hub's key in the vault. */
const KEY_NAME = 'verify-hub'

/**
 * An enforcer may renew its lease just before it is told of a change, and goes by what it knew until that has lapsed.
 * After two of them everybody accepts a new key.
 */
export const SWITCH_MS = 2 * limits.enforcerLeaseMs

/**
 * The private keys of verify-hub: one, or two during a rotation. It signs with the newest that boot/config names, from
 * the time on at which every enforcer must know it. What is older than all that are named is destroyed.
 */
export interface SigningKeys {
  /** Signs now. */
  readonly current: SigningKey
  /** One that boot/config names and that is at hand. */
  named(kid: string): SigningKey | undefined
  /** All in the vault, oldest first. By verify-hub itself: a call that carries its caller's token is refused there. */
  versions(): Promise<readonly KeyVersion[]>
  /** The one that follows on the oldest that is named: made by the first who asks. */
  next(): Promise<KeyVersion>
  /** boot/config of this revision names these. @throws VerifyHubKeyMismatch when the vault lacks one of them */
  follow(kids: readonly string[], revision: number): Promise<void>
  /**
   * Nobody trusts `current`: an incarnation may begin, or wake, on the other side of a rotation. Signs with each of the
   * others in turn, until the attempt passes.
   * @throws `refused` when it passes with none
   */
  inTurn<T>(attempt: () => Promise<T>, refused: Error): Promise<T>
  /** Epoch milliseconds since when the newer of two signs; undefined when it does not yet, or there is one. */
  signsSince(): Promise<number | undefined>
}

interface Held {
  readonly version: number
  readonly key: SigningKey
}

/** That every enforcer knows the newer of the two keys that boot/config of this revision names. */
interface Mark {
  readonly kid: string
  readonly revision: number
  readonly sinceMs: number
}

const MARK = 'signing'
const withinMs = { withinMs: limits.gatewayCallMs }
const readMark = (entry: Entry | undefined): Mark | undefined =>
  entry && JSON.parse(new TextDecoder().decode(entry.value)) as Mark

/** Reads a private key, once. There is no other: without it verify-hub does not start. @throws VerifyHubKeyMismatch */
export async function openSigningKeys(
  start: Pick<ActorStart, 'keys' | 'store' | 'clock' | 'log' | 'background' | 'stopping'>, vault: Client<typeof Vault>,
): Promise<SigningKeys> {
  const { keys, store, clock, log, background, stopping } = start
  const held = new Map<string, Held>()
  let trusted: readonly string[] = []
  let announced = 0
  let current: SigningKey
  /** Named, and not known to everybody yet. */
  let waiting: Omit<Mark, 'sinceMs'> | undefined
  let destroying = false
  let turn: Promise<unknown> = Promise.resolve()

  /** The vault gives a key once: of two that read it one would be refused. */
  const alone = <T>(work: () => Promise<T>): Promise<T> => {
    const done = turn.then(work)
    turn = done.catch(() => {})
    return done
  }

  const read = async (kid?: string): Promise<SigningKey> => {
    const known = kid === undefined ? undefined : held.get(kid)
    if (known) return known.key
    const given = await vault.readKey({ name: KEY_NAME, ...(kid === undefined ? {} : { kid }) }).catch(notRead)
    const key = opened(given.pem)
    if (key.public.kid !== given.kid) throw new VerifyHubKeyMismatch('The vault gave another key than the one it names')
    held.set(key.public.kid, { version: given.version, key })
    return key
  }
  const opened = (pem: string): SigningKey => {
    try {
      return keys.importPem(pem)
    } catch {
      throw new VerifyHubKeyMismatch('The vault gave something else than a private key for verify-hub')
    }
  }
  const notRead = (error: unknown): never => {
    if (error instanceof ZonewrightError && MEANS_NO_KEY.has(error.code)) {
      throw new VerifyHubKeyMismatch(`The vault gives no private key for verify-hub: ${error.code}`)
    }
    // It was given, and the answer was lost: the next incarnation is given it again
    if (error instanceof Denied && held.size > 0) {
      background(() => Promise.reject(error))
      throw new Unavailable('The vault gave verify-hub its key before; it starts anew')
    }
    throw error
  }
  const versionOf = (kid: string): number => held.get(kid)?.version ?? 0
  const oldestFirst = (kids: readonly string[]): string[] => [...kids].sort((a, b) => versionOf(a) - versionOf(b))

  const readAll = async (kids: readonly string[]): Promise<void> => {
    if (kids.every((kid) => held.has(kid))) return
    const versions: readonly KeyVersion[] = await vault.keyVersions({ name: KEY_NAME })
    const absent = kids.find((kid) => !versions.some((version) => version.kid === kid))
    if (absent !== undefined) {
      throw new VerifyHubKeyMismatch(`boot/config names a key of verify-hub that the vault lacks: ${absent}`)
    }
    for (const kid of kids) await read(kid)
  }

  /** The newer of two, once every enforcer knows it. */
  const choose = async (kids: readonly string[], revision: number): Promise<void> => {
    const [first, newest] = oldestFirst(kids)
    const known = newest === undefined || isOf(readMark(await store.get(MARK)), newest, revision)
    trusted = kids
    announced = revision
    sign(known ? newest ?? first! : first!)
    if (!known && isOf(waiting, newest, revision)) return
    const next = known ? undefined : { kid: newest, revision }
    waiting = next
    if (next) background(() => switchTo(next))
  }
  const sign = (kid: string): void => {
    if (current.public.kid !== kid) log.info('verify-hub signs with another key', { kid, before: current.public.kid })
    current = held.get(kid)!.key
  }
  /** Durable before the first signature: nobody is told that the older one has signed less than it did. */
  const switchTo = async (next: Omit<Mark, 'sinceMs'>): Promise<void> => {
    while (!stopping.aborted) {
      await pause(clock, SWITCH_MS, stopping)
      try {
        if (stopping.aborted || waiting !== next) return
        await mark(next)
        // What boot/config names may have changed while the store was asked
        if (waiting !== next) return
        waiting = undefined
        return sign(next.kid)
      } catch (error) {
        log.warn(`The new key of verify-hub does not sign yet: ${messageOf(error)}`)
      }
    }
  }
  /** Of several verify-hubs the first one's counts. */
  const mark = async (next: Omit<Mark, 'sinceMs'>): Promise<void> => {
    const before = await store.get(MARK)
    if (isOf(readMark(before), next.kid, next.revision)) return
    const value = new TextEncoder().encode(JSON.stringify({ ...next, sinceMs: clock.now() } satisfies Mark))
    await store.transact([{ key: MARK, modRevision: before?.modRevision ?? 0 }], [{ type: 'put', key: MARK, value }])
  }

  /** Also when it is not the first to know: whoever was to do it may have died. */
  const destroyBefore = (kid: string): void => {
    const older = [...held].filter(([, { version }]) => version < versionOf(kid)).map(([name]) => name)
    if (older.length === 0 || destroying) return
    destroying = true
    background(async () => {
      while (!stopping.aborted) {
        try {
          await vault.destroyKeysBefore({ name: KEY_NAME, kid })
          for (const name of older) held.delete(name)
          break
        } catch (error) {
          log.warn(`A retired key of verify-hub is not destroyed yet: ${messageOf(error)}`)
          await pause(clock, limits.convergeRetryMs, stopping)
        }
      }
      destroying = false
    })
  }

  current = await read()
  trusted = [current.public.kid]

  return {
    get current() { return current },
    versions: () => vault.keyVersions({ name: KEY_NAME }, withinMs),
    next: () => vault.rotateKey({ name: KEY_NAME, after: oldestFirst(trusted)[0]! }, withinMs),
    named: (kid) => (trusted.includes(kid) ? held.get(kid)?.key : undefined),
    follow: (kids, revision) => alone(async () => {
      await readAll(kids)
      await choose(kids, revision)
      destroyBefore(oldestFirst(kids)[0]!)
    }),
    inTurn(attempt, refused) {
      const before = current
      return alone(async () => {
        // Another call may have found the way
        if (current !== before) return await attempt()
        const versions: readonly KeyVersion[] = await vault.keyVersions({ name: KEY_NAME })
        for (const { kid } of versions) {
          if (kid === before.public.kid) continue
          current = await read(kid)
          try {
            return await attempt()
          } catch (error) {
            if (!(error instanceof VerifyHubKeyMismatch)) {
              current = before
              throw error
            }
          }
        }
        current = before
        throw refused
      })
    },
    async signsSince() {
      const [, newest] = oldestFirst(trusted)
      const mark = readMark(await store.get(MARK))
      return newest !== undefined && isOf(mark, newest, announced) ? mark.sinceMs : undefined
    },
  }
}

const isOf = <M extends Omit<Mark, 'sinceMs'>>(mark: M | undefined, kid: string, revision: number): mark is M =>
  mark?.kid === kid && mark.revision === revision

const MEANS_NO_KEY = new Set(['NotFound', 'SecretNotFound', 'KeyNotFound'])
