import { LimitExceeded, NotFound, Overloaded } from '../../runtime/errors.ts'
import { mayCrash } from '../../runtime/fault-points.ts'
import { limits } from '../../runtime/limits.ts'
import type { Peer } from '../../runtime/actor.ts'
import type { Clock, Keys, PublicJwk, Random, SigningKey } from '../../runtime/platform/ports.ts'
import {
  array, integer, literal, minLength, number, object, optional, pipe, string, type Infer,
} from '../../runtime/protocol.ts'
import type { Compare } from '../../runtime/store/store.ts'
import { PublicKey } from '../system-config/protocol.ts'
import type { Barrier } from './barrier.ts'
import { damaged } from './record.ts'

const Version = object({
  version: pipe(number(), integer()),
  kid: string(),
  publicKey: PublicKey,
  pem: string(),
  /** Epoch milliseconds. */
  createdAt: number(),
})
type Version = Infer<typeof Version>

/** Newest last. Of what was destroyed nothing is left. */
const NamedKey = object({ type: literal('ed25519'), versions: pipe(array(Version), minLength(1)) })

/** Who was given which private key, newest last. An incarnation is known by its link key. */
const Grants = object({
  grants: array(object({
    host: string(), actor: string(), incarnation: number(), linkKid: string(), at: number(),
    /** Absent in grants from before there were versions: they count for every one. */
    kid: optional(string()),
  })),
})

const keyPath = (name: string): string => `keys/${name}`
const grantsPath = (name: string): string => `grants/keys/${name}`

export interface NamedKeys {
  ensure(name: string): Promise<{ kid: string; publicKey: PublicJwk; created: boolean }>
  /** The newest version, made if there is none: for the vault's own work. It leaves the vault by no method. */
  signing(name: string): Promise<SigningKey>
  /** Oldest first. @throws NotFound */
  versions(name: string): Promise<readonly Omit<Version, 'pem'>[]>
  /**
   * The version after that of `kid`, made if it is absent: every retry gets the same answer, until the caller goes on
   * from it.
   * @throws NotFound, LimitExceeded
   */
  next(name: string, kid: string): Promise<Omit<Version, 'pem'> & { created: boolean }>
  /** The oldest without a `kid`. Undefined when this incarnation was given it before. @throws NotFound */
  readOnce(name: string, kid: string | undefined, peer: Peer): Promise<PrivateKey | undefined>
  /** How many went: all that are older than that of `kid`, which stays. @throws NotFound */
  destroyBefore(name: string, kid: string): Promise<number>
}

interface NamedKeysPorts { barrier: Barrier; keys: Keys; random: Random; clock: Clock }

type PrivateKey = Pick<Version, 'kid' | 'version' | 'pem'>

const publicOf = ({ pem: _, ...rest }: Version): Omit<Version, 'pem'> => rest

export function createNamedKeys({ barrier, keys, random, clock }: NamedKeysPorts): NamedKeys {
  const current = async (name: string) => {
    const found = await barrier.read(keyPath(name), NamedKey)
    return found?.value.versions.at(-1)
  }
  const existing = async (name: string) => {
    const found = await barrier.read(keyPath(name), NamedKey)
    if (found === undefined) throw new NotFound(`The vault holds no key of this name: ${name}`, { name })
    return { versions: found.value.versions, guard: { key: keyPath(name), modRevision: found.revision } }
  }
  const placeOf = (versions: readonly Version[], name: string, kid: string): number => {
    const place = versions.findIndex((version) => version.kid === kid)
    if (place < 0) throw new NotFound(`The vault holds no such version of the key: ${name}: ${kid}`, { name, kid })
    return place
  }
  const made = (version: number): Version => {
    const key = keys.generate(random)
    const { kid, jwk: publicKey } = key.public
    return { version, kid, publicKey, pem: key.exportPem(), createdAt: clock.now() }
  }
  const write = (name: string, guard: Compare, versions: readonly Version[]): Promise<boolean> =>
    barrier.commit([guard], [{ path: keyPath(name), value: { type: 'ed25519', versions } }])

  /** The newest of each name that the vault itself signs by: to import one takes longer than to sign by it. */
  const imported = new Map<string, { readonly kid: string; readonly key: SigningKey }>()

  const keyNamed: NamedKeys = {
    async signing(name) {
      const found = await current(name) ?? (await keyNamed.ensure(name), await current(name))
      if (found === undefined) throw damaged(keyPath(name), 'it went away while it was read')
      const { kid, pem } = found
      const last = imported.get(name)
      if (last?.kid === kid) return last.key
      const key = keys.importPem(pem)
      imported.set(name, { kid, key })
      return key
    },
    async ensure(name) {
      const found = await current(name)
      if (found !== undefined) return { kid: found.kid, publicKey: found.publicKey, created: false }
      const version = made(1)
      const created = await write(name, { key: keyPath(name), modRevision: 0 }, [version])
      mayCrash('vault/key-made')
      if (created) return { kid: version.kid, publicKey: version.publicKey, created }
      // Another caller, or another vault on the same store, was faster: its key is the key.
      const winner = await current(name)
      if (winner === undefined) throw damaged(keyPath(name), 'it went away while it was made')
      return { kid: winner.kid, publicKey: winner.publicKey, created: false }
    },
    versions: async (name) => (await existing(name)).versions.map(publicOf),
    async next(name, kid) {
      for (let attempt = 0; attempt < limits.vaultTransactionAttempts; attempt++) {
        const { versions, guard } = await existing(name)
        const after = versions[placeOf(versions, name, kid) + 1]
        if (after) return { ...publicOf(after), created: false }
        if (versions.length >= limits.vaultKeyVersions) {
          throw new LimitExceeded(`A key has at most ${limits.vaultKeyVersions} versions: ${name}`)
        }
        const version = made(versions.at(-1)!.version + 1)
        if (await write(name, guard, [...versions, version])) {
          return { ...publicOf(version), created: true }
        }
      }
      throw new Overloaded(`Too many writers of one key; attempts: ${limits.vaultTransactionAttempts}`)
    },
    async readOnce(name, kid, peer) {
      const { versions } = await existing(name)
      const key = kid === undefined ? versions[0]! : versions[placeOf(versions, name, kid)]!
      for (let attempt = 0; attempt < limits.vaultTransactionAttempts; attempt++) {
        const found = await barrier.read(grantsPath(name), Grants)
        const earlier = found?.value.grants ?? []
        const given = earlier.some((grant) => grant.linkKid === peer.kid && (grant.kid ?? key.kid) === key.kid)
        if (given) return undefined
        const { host, actor, incarnation, kid: linkKid } = peer
        const grant = { host, actor, incarnation, linkKid, at: clock.now(), kid: key.kid }
        const grants = [...earlier, grant].slice(-limits.vaultGrants)
        // Durable before the answer: a vault that restarts still knows whom it gave the key.
        const guard = { key: grantsPath(name), modRevision: found?.revision ?? 0 }
        if (await barrier.commit([guard], [{ path: grantsPath(name), value: { grants } }])) {
          return { kid: key.kid, version: key.version, pem: key.pem }
        }
      }
      throw new Overloaded(`Too many readers of one key; attempts: ${limits.vaultTransactionAttempts}`)
    },
    async destroyBefore(name, kid) {
      for (let attempt = 0; attempt < limits.vaultTransactionAttempts; attempt++) {
        const { versions, guard } = await existing(name)
        const place = placeOf(versions, name, kid)
        if (place === 0) return 0
        if (await write(name, guard, versions.slice(place))) return place
      }
      throw new Overloaded(`Too many writers of one key; attempts: ${limits.vaultTransactionAttempts}`)
    },
  }
  return keyNamed
}
