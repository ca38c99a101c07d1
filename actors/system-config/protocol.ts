import { custom } from 'valibot'
import { defineError } from '../../runtime/errors.ts'
import { krpcCall, krpcStream } from '../krpc-protocol.ts'
import {
  array, boolean, call, integer, literal, maxLength, minValue, nullable, number, object, optional, picklist, pipe,
  protocol, record, stream, string, unknown, variant, type Infer,
} from '../../runtime/protocol.ts'

/** `kv://` in the zone's one configuration store; keys are paths such as `nodes/ood1/config`, values are text. */
const revision = pipe(number(), integer(), minValue(0))
const key = string()
const written = object({ revision })
/** Only keys whose last segment is one of these. */
const leaves = optional(pipe(array(string()), maxLength(16)))

/** `record` leaves out, without a word, what every object has: a transaction would be done in part. */
export const own = custom<Readonly<Record<string, unknown>>>(
  (value) => typeof value === 'object' && value !== null && !Array.isArray(value)
    && !['__proto__', 'constructor', 'prototype'].some((name) => Object.hasOwn(value, name)),
  'Expected an object without the names that every object has',
)

export const Action = variant('action', [
  object({ action: literal('create'), value: string() }),
  object({ action: literal('update'), value: string() }),
  object({ action: literal('append'), value: string() }),
  /** Path → JSON value; null deletes. Paths are `/a/b`; intermediate objects are made. */
  object({ action: literal('set_by_path'), all_set: pipe(own, record(string(), unknown())) }),
  object({ action: literal('remove') }),
])

/** What a call comes to for the session that asks, without making it: an operator's action has a key of its own. */
const Check = call(object({ key, act: picklist(['read', 'write']) }), object({}), { concurrent: 64 })

/** A term of a leader: a transaction that names it goes through while it lasts. */
const Fence = object({ name: string(), term: revision })

/** `term` and `host` of who leads; 0 and '' while nobody does. `ttlMs` counts from when this was asked. */
const Led = object({ leads: boolean(), term: revision, host: string(), ttlMs: revision })
export type Led = Infer<typeof Led>

const Item = object({ key, value: string(), revision })

/** A session that has ended; at `until`, in epoch seconds, the last of its session tokens has expired. */
export const Revoked = object({ sid: string(), until: revision })
export type Revoked = Infer<typeof Revoked>

/** What an enforcer goes by, or what of it has changed; null is as it was. */
export const Enforcement = object({
  lease: string(),
  /** Of the newest change in it. */
  sequence: revision,
  /** All of it, in place of what was before. */
  whole: boolean(),
  /** Text of `boot/config`. */
  boot: nullable(string()),
  /** Texts of `system/rbac/model`, '' for the built-in one, and `system/rbac/policy`. */
  rbac: nullable(object({ model: string(), policy: string() })),
  revoked: array(Revoked),
})
export type Enforcement = Infer<typeof Enforcement>

export const SystemConfig = protocol('system-config', {
  get: call(object({ key }), nullable(object({ value: string(), revision })), { concurrent: 64 }),
  /** Names of the direct children, sorted. */
  list: call(object({ key }), array(string()), { concurrent: 64 }),
  /**
   * All keys below the prefixes, sorted, at one revision. With `page` only those behind `after`, as many as fit
   * `limits.dumpPage`; `more` says that others follow, which may be of a later revision.
   */
  dump: call(
    object({ prefixes: array(string()), leaves, page: optional(object({ after: string() })) }),
    object({ items: array(Item), revision, more: optional(boolean()) }), { concurrent: 8 },
  ),
  /** Of what a dump of the same would bring (`digestOfItems`): whoever has that already need not be sent it again. */
  dumpDigest: call(
    object({ prefixes: array(string()), leaves }), object({ digest: string(), revision }), { concurrent: 8 },
  ),
  set: call(object({ key, value: string() }), written, { concurrent: 64 }),
  create: call(object({ key, value: string() }), written, { concurrent: 64 }),
  delete: call(object({ key }), written, { concurrent: 64 }),
  append: call(object({ key, value: string() }), written, { concurrent: 64 }),
  setByJsonPath: call(object({ key, path: string(), value: string() }), written, { concurrent: 64 }),
  /**
   * All or nothing. `mainKey`: the key's revision must be this; 0 means that it does not exist. `fence`: this term must
   * last. @throws Fenced
   */
  execTx: call(
    object({
      actions: pipe(own, record(key, Action)), mainKey: optional(object({ key, revision })), fence: optional(Fence),
    }),
    written, { concurrent: 64, suite: 'signature' },
  ),
  watch: stream(
    object({ prefix: string(), after: revision, leaves }),
    object({ type: picklist(['put', 'delete']), key, value: string(), revision }),
  ),
  /**
   * For who enforces: the keys, policy and revocations of now, then each change. It comes with a lease of
   * `limits.enforcerLeaseMs`, counted from when this was asked; without a renewal the stream ends with it.
   * `replaces`: a lease of the same enforcer, which is over with the first renewal of this one.
   */
  enforcement: stream(object({ replaces: string() }), Enforcement),
  /** "I go by everything up to `sequence`." When granted, the lease runs anew from when this was asked. */
  renewLease: call(
    object({ lease: string(), sequence: revision }), object({ granted: boolean() }), { concurrent: 256 },
  ),
  /** "I go by nothing any more." Of who was given the lease, also when its session is good no more. */
  releaseLease: call(object({ lease: string() }), object({}), { concurrent: 256 }),
  /** Of verify-hub alone. Answers when every enforcer goes by it, or has no lease any more. */
  revoke: call(object({ sessions: pipe(array(Revoked), maxLength(256)) }), object({}), { concurrent: 64 }),
  /**
   * Of a kernel service of this host, by its own name: renews its term, or begins one where nobody leads. There is one
   * leader a name in the whole store. A term that is not renewed is over `ttlMs` after it was last asked for.
   */
  lead: call(object({ name: string() }), Led, { concurrent: 64 }),
  /** Ends the term of who asks, if it has one: another leads at once. */
  resign: call(object({ name: string() }), object({}), { concurrent: 64 }),
  /** May the session of this call do this to this key? @throws Denied, with the chain kept for `explain` */
  check: Check,
  /**
   * Whether the policy lets somebody do this, which line says so, and why others do not. What is left out is the
   * caller's; about others than the caller it is told to who may read the policy.
   */
  explain: call(
    object({
      key, act: picklist(['read', 'write']), sub: optional(string()), appid: optional(string()),
      runtimeType: optional(string()), sudo: optional(boolean()),
    }),
    object({ explanation: unknown() }), { concurrent: 8 },
  ),
  /** The originals' methods, as the gateway hands them on; who wrote what must be provable, so the frame is signed. */
  krpc: krpcCall({ suite: 'signature' }),
  /** Those of them that change nothing (`krpcReads`): a signature would cost more than all else. */
  krpcRead: krpcCall(),
  krpcStream: krpcStream(),
  /** What this verifier trusts now, and why. */
  trust: call(object({}), object({
    phase: picklist(['boot', 'normal']),
    keys: array(object({ kid: string(), reason: string(), issuer: string() })),
    booted: boolean(),
    /** Of `boot/config`; 0 in boot phase. */
    bootRevision: revision,
    /** The store behind it, and how far it has come. */
    store: object({ id: string(), revision }),
  }), { concurrent: 8 }),
})

export const krpcReads: ReadonlySet<string> = new Set([
  'sys_config_get', 'sys_config_list', 'sys_config_check', 'sys_config_explain', 'sys_config_revision',
  'dump_configs_for_scheduler', 'sys_refresh_trust_keys',
])

export const PublicKey = object({ kty: literal('OKP'), crv: literal('Ed25519'), x: string() })

/** `boot/config`: the write permission on it is the highest in the zone. */
export const BootConfig = object({
  zone: string(),
  root: PublicKey,
  /** One, or two during rotation. */
  verifyHub: array(PublicKey),
  epoch: revision,
})
export type BootConfig = Infer<typeof BootConfig>

/** This host has booted a zone, or the store holds one, and the other of the two does not fit. */
export const ZoneStoreMismatch = defineError('ZoneStoreMismatch')
/** `boot/config` and the zone document say different epochs: tokens of the one are refused by the other. */
export const EpochMismatch = defineError('EpochMismatch')
/** The term that a transaction was bound to is over; `details` says who leads. */
export const Fenced = defineError('Fenced')
export const KeyNotFound = defineError('KeyNotFound')
export const KeyExists = defineError('KeyExists')
export const InvalidKey = defineError('InvalidKey')
export const InvalidPath = defineError('InvalidPath')
