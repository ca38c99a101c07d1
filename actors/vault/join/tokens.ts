import { safeParse } from 'valibot'
import { InvalidArgument, LimitExceeded, Overloaded } from '../../../runtime/errors.ts'
import { limits } from '../../../runtime/limits.ts'
import type { Clock, Keys, Random } from '../../../runtime/platform/ports.ts'
import { fromBase64url, toBase64url } from '../../../runtime/trust/base64url.ts'
import { parseCidr } from '../../cidr.ts'
import { DeviceRole, isName, type EnrolledRole } from '../../records.ts'
import { isReserved } from '../../trust-matrix.ts'
import type { Barrier } from '../barrier.ts'
import { JoinRefused, NotInVault, type JoinRefusal, type JoinToken } from '../protocol.ts'
import { serialKey } from '../pki/serials.ts'
import { joinPaths, StoredKey, StoredToken } from './records.ts'

export interface JoinPorts {
  readonly barrier: Barrier
  readonly keys: Keys
  readonly random: Random
  readonly clock: Clock
}

export interface TokenAsked {
  readonly host: string
  readonly role: string
  readonly owner?: string | undefined
  readonly cidr?: string | undefined
  readonly ttlSeconds?: number | undefined
  readonly by: string
}

export interface FoundToken {
  readonly id: string
  readonly stored: StoredToken
  readonly revision: number
}

export interface JoinTokens {
  /** @throws InvalidArgument, LimitExceeded */
  create(asked: TokenAsked): Promise<{ token: string; record: JoinToken }>
  /** Oldest first. */
  list(): Promise<readonly JoinToken[]>
  /** @throws NotInVault */
  revoke(id: string): Promise<JoinToken>
  /** By the token itself, whatever has become of it. @throws JoinRefused `unknown`, in the same words for all */
  find(token: string): Promise<FoundToken>
  /** Whether it may still be used for this host, by nobody yet. @throws JoinRefused */
  demandGood(found: FoundToken, host: string): void
  /** Whether it is for this role: a refusal is counted. @throws JoinRefused */
  demandRole(found: FoundToken, role: DeviceRole): Promise<void>
  /** Its role, of which the enrolment key may sign. @throws JoinRefused, as `demandRole` */
  demandEnrolled(found: FoundToken): Promise<EnrolledRole>
  /** What `next` makes of it, in one transaction; undefined changes nothing. @throws NotInVault, Overloaded */
  change(id: string, next: (stored: StoredToken) => StoredToken | undefined): Promise<FoundToken>
  /** All that are there, in no order. */
  all(): Promise<readonly FoundToken[]>
  /** A refusal of somebody who has the token; it is counted. */
  refused(found: FoundToken, reason: JoinRefusal, message: string): Promise<Error>
}

const ID_BYTES = 10
const SECRET_BYTES = 32
const KEY_BYTES = 32
const PREFIX = 'zwj'
const SHAPE = /^zwj_([0-9a-f]{20})_([\w-]{43})$/

/** Strangers learn nothing: not that such a token has ever been, and not what is wrong with theirs. */
const unknown = (): Error => new JoinRefused('The join token is not known here', { reason: 'unknown' })

export const tokenTold = (id: string, stored: StoredToken, now: number): JoinToken => {
  const { host, role, owner, cidr, createdAt, expiresAt, createdBy, revokedAt, used, refused } = stored
  const state = revokedAt !== undefined ? 'revoked' : used ? 'used' : now >= expiresAt ? 'expired' : 'open'
  return {
    id, host, role, state, createdAt, expiresAt, createdBy, refused,
    ...(cidr === undefined ? {} : { cidr }), ...(owner === undefined ? {} : { owner }),
    ...(used ? { usedAt: used.at, device: used.kid, serial: used.serial } : {}),
    ...(revokedAt === undefined ? {} : { revokedAt }),
  }
}

export function openJoinTokens({ barrier, keys, random, clock }: JoinPorts): JoinTokens {
  const read = async (id: string): Promise<FoundToken | undefined> => {
    const found = await barrier.read(joinPaths.token(id), StoredToken)
    return found && { id, stored: found.value, revision: found.revision }
  }
  const digestKey = async (): Promise<Uint8Array> => {
    for (let attempt = 0; attempt < limits.vaultTransactionAttempts; attempt++) {
      const found = await barrier.read(joinPaths.key, StoredKey)
      if (found) return fromBase64url(found.value.key)!
      const value = { format: 1, key: toBase64url(random.bytes(KEY_BYTES)) }
      await barrier.commit([{ key: joinPaths.key, modRevision: 0 }], [{ path: joinPaths.key, value }])
    }
    throw overtaken()
  }
  const digestOf = async (id: string, secret: Uint8Array): Promise<Uint8Array> =>
    keys.derive(secret, await digestKey(), `zonewright join token ${id}`, 32)

  /** Writes what `next` makes of it, unless somebody was faster for too long. */
  const change = async (id: string, next: (stored: StoredToken) => StoredToken | undefined): Promise<FoundToken> => {
    for (let attempt = 0; attempt < limits.vaultTransactionAttempts; attempt++) {
      const found = await read(id)
      if (!found) throw new NotInVault('There is no such join token')
      const value = next(found.stored)
      if (!value) return found
      const path = joinPaths.token(id)
      if (await barrier.commit([{ key: path, modRevision: found.revision }], [{ path, value }])) {
        return { ...found, stored: value }
      }
    }
    throw overtaken()
  }
  const ids = async (): Promise<readonly string[]> => {
    const { paths } = await barrier.list(joinPaths.tokens, { limit: limits.joinTokens })
    return paths.map((path) => path.slice(joinPaths.tokens.length))
  }
  const all = async (): Promise<readonly FoundToken[]> => {
    const found = await Promise.all((await ids()).map(read))
    return found.filter((one) => one !== undefined)
  }
  const forgetOld = async (found: readonly FoundToken[]): Promise<number> => {
    const before = clock.now() - limits.joinTokenKeptSeconds * 1_000
    const old = found.filter(({ stored }) => stored.expiresAt < before)
    for (const { id } of old) await barrier.commit([], [{ path: joinPaths.token(id), value: undefined }])
    return found.length - old.length
  }

  const tokens: JoinTokens = {
    change, all,
    async create({ host, role: asked, owner, cidr, ttlSeconds = limits.joinTokenSeconds, by }) {
      const role = roleOf(asked)
      if (owner !== undefined && (role !== 'client-device' || !isName(owner) || isReserved(owner))) {
        throw new InvalidArgument(`A ${role} cannot belong to this user: ${owner.slice(0, 80)}`)
      }
      if (!isName(host) || isReserved(host)) throw new InvalidArgument(`It is no name for a host: ${host.slice(0, 80)}`)
      if (!(ttlSeconds >= 1 && ttlSeconds <= limits.joinTokenSecondsMax)) {
        throw new InvalidArgument(`A join token lives 1 to ${limits.joinTokenSecondsMax} s: ${ttlSeconds}`)
      }
      if (cidr !== undefined) parseCidr(cidr)
      // To look at all of them for each new one took as long as there were tokens
      if ((await ids()).length >= limits.joinTokens && await forgetOld(await all()) >= limits.joinTokens) {
        throw new LimitExceeded(`There are ${limits.joinTokens} join tokens`)
      }
      const [id, secret] = [serialKey(random.bytes(ID_BYTES)), random.bytes(SECRET_BYTES)]
      const now = clock.now()
      const stored: StoredToken = {
        format: 1, digest: toBase64url(await digestOf(id, secret)), host, role, createdAt: now,
        expiresAt: now + ttlSeconds * 1_000, createdBy: by, refused: 0, ...(cidr === undefined ? {} : { cidr }),
        ...(owner === undefined ? {} : { owner }),
      }
      const path = joinPaths.token(id)
      if (!await barrier.commit([{ key: path, modRevision: 0 }], [{ path, value: stored }])) throw overtaken()
      const record = tokenTold(id, stored, now)
      return { token: `${PREFIX}_${id}_${toBase64url(secret)}`, record }
    },
    async list() {
      const now = clock.now()
      return (await all()).map(({ id, stored }) => tokenTold(id, stored, now))
        .toSorted((left, right) => left.createdAt - right.createdAt)
    },
    async revoke(id) {
      const now = clock.now()
      const { stored } = await change(id, (before) =>
        (before.revokedAt === undefined ? { ...before, revokedAt: now } : undefined))
      return tokenTold(id, stored, now)
    },
    async find(token) {
      const [, id, secret] = SHAPE.exec(token) ?? []
      const bytes = secret === undefined ? undefined : fromBase64url(secret)
      if (id === undefined || !bytes) throw unknown()
      const [found, digest] = [await read(id), await digestOf(id, bytes)]
      const kept = fromBase64url(found?.stored.digest ?? '') ?? new Uint8Array(digest.length)
      if (!keys.equal(kept, digest) || !found) throw unknown()
      return found
    },
    demandGood({ stored: { revokedAt, expiresAt, host: bound } }, host) {
      const refuse = (reason: JoinRefusal, message: string): Error => new JoinRefused(message, { reason })
      if (bound !== host) throw refuse('host', `The join token is for another host than ${host}`)
      if (revokedAt !== undefined) throw refuse('revoked', 'The join token was revoked')
      if (clock.now() >= expiresAt) throw refuse('expired', 'The join token has expired')
    },
    async demandRole(found, role) {
      if (found.stored.role === role) return
      throw await tokens.refused(found, 'role', `The join token is for the role ${found.stored.role}, not ${role}`)
    },
    async demandEnrolled(found) {
      const { role } = found.stored
      if (role !== 'ood') return role
      throw await tokens.refused(found, 'role', 'The join token is for the role ood, which the owner key signs')
    },
    async refused({ id }, reason, message) {
      await change(id, (before) =>
        (before.refused < limits.joinTokenRefusals ? { ...before, refused: before.refused + 1 } : undefined))
      return new JoinRefused(message, { reason })
    },
  }
  return tokens
}

/** @throws InvalidArgument */
function roleOf(asked: string): DeviceRole {
  const role = safeParse(DeviceRole, asked)
  if (role.success) return role.output
  throw new InvalidArgument(`Nodes, OODs and client devices join by a token: role ${asked.slice(0, 80)}`, {
    next: 'Give --role node, ood or client-device',
  })
}

const overtaken = (): Error =>
  new Overloaded(`Too many writers of one join token; attempts: ${limits.vaultTransactionAttempts}`)
