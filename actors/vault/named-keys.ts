import { NotFound, Overloaded } from '../../runtime/errors.ts'
import { mayCrash } from '../../runtime/fault-points.ts'
import { limits } from '../../runtime/limits.ts'
import type { Peer } from '../../runtime/actor.ts'
import type { Clock, Keys, PublicJwk, Random } from '../../runtime/platform/ports.ts'
import { array, integer, literal, minLength, number, object, pipe, string } from '../../runtime/protocol.ts'
import { PublicKey } from '../system-config/protocol.ts'
import type { Barrier } from './barrier.ts'
import { damaged } from './record.ts'

/** Newest last. */
const NamedKey = object({
  type: literal('ed25519'),
  versions: pipe(array(object({
    version: pipe(number(), integer()),
    kid: string(),
    publicKey: PublicKey,
    pem: string(),
    /** Epoch milliseconds. */
    createdAt: number(),
  })), minLength(1)),
})

/** Who was given the private key, newest last. An incarnation is known by its link key. */
const Grants = object({
  grants: array(object({ host: string(), actor: string(), incarnation: number(), linkKid: string(), at: number() })),
})

const keyPath = (name: string): string => `keys/${name}`
const grantsPath = (name: string): string => `grants/keys/${name}`

export interface NamedKeys {
  ensure(name: string): Promise<{ kid: string; publicKey: PublicJwk; created: boolean }>
  /** Undefined when this incarnation of the peer was given the key before. @throws NotFound */
  readOnce(name: string, peer: Peer): Promise<{ kid: string; pem: string } | undefined>
}

interface NamedKeysPorts { barrier: Barrier; keys: Keys; random: Random; clock: Clock }

export function createNamedKeys({ barrier, keys, random, clock }: NamedKeysPorts): NamedKeys {
  const current = async (name: string) => {
    const found = await barrier.read(keyPath(name), NamedKey)
    return found?.value.versions.at(-1)
  }
  return {
    async ensure(name) {
      const found = await current(name)
      if (found !== undefined) return { kid: found.kid, publicKey: found.publicKey, created: false }
      const key = keys.generate(random)
      const { kid, jwk: publicKey } = key.public
      const version = { version: 1, kid, publicKey, pem: key.exportPem(), createdAt: clock.now() }
      const guard = { key: keyPath(name), modRevision: 0 }
      const value = { type: 'ed25519', versions: [version] }
      const created = await barrier.commit([guard], [{ path: keyPath(name), value }])
      mayCrash('vault/key-made')
      if (created) return { kid, publicKey, created }
      // Another caller, or another vault on the same store, was faster: its key is the key.
      const winner = await current(name)
      if (winner === undefined) throw damaged(keyPath(name), 'it went away while it was made')
      return { kid: winner.kid, publicKey: winner.publicKey, created: false }
    },
    async readOnce(name, peer) {
      const key = await current(name)
      if (key === undefined) throw new NotFound(`The vault holds no key of this name: ${name}`, { name })
      for (let attempt = 0; attempt < limits.vaultTransactionAttempts; attempt++) {
        const found = await barrier.read(grantsPath(name), Grants)
        const earlier = found?.value.grants ?? []
        if (earlier.some((grant) => grant.linkKid === peer.kid)) return undefined
        const { host, actor, incarnation, kid: linkKid } = peer
        const grants = [...earlier, { host, actor, incarnation, linkKid, at: clock.now() }].slice(-limits.vaultGrants)
        // Durable before the answer: a vault that restarts still knows whom it gave the key.
        const guard = { key: grantsPath(name), modRevision: found?.revision ?? 0 }
        if (await barrier.commit([guard], [{ path: grantsPath(name), value: { grants } }])) {
          return { kid: key.kid, pem: key.pem }
        }
      }
      throw new Overloaded(`Too many readers of one key; attempts: ${limits.vaultTransactionAttempts}`)
    },
  }
}
