import type { AcceptedToken } from '../../runtime/fault-points.ts'
import type { ActorDefinition } from '../../runtime/actor.ts'
import type { Frame } from '../../runtime/platform/ports.ts'
import type { World } from '../../runtime/sim/simulate.ts'
import type { Change } from '../../runtime/store/change.ts'
import type { ActorEvent, HostEvent, StepEvent } from '../../runtime/trace.ts'
import type { Boot, SimulatedCluster } from './cluster.ts'
import { everyBootEnds, restartLimitAtOnce } from './invariants/ends.ts'
import { needsFirst, oneIncarnation, stepsInOrder } from './invariants/order.ts'
import { placedFits, placedOnce } from './invariants/placement.ts'
import { noSecretInClear } from './invariants/secrets.ts'
import { bootConfigByRoot, revisionsGrow, transactionWhole } from './invariants/stores.ts'
import { onlyTheMatrix, revokedStaysOut } from './invariants/tokens.ts'

/** What an invariant may look at while the zone runs. It never acts. */
export interface Scene {
  readonly world: World
  readonly cluster: SimulatedCluster
  /** By name; those of a node begin with `node:`. */
  readonly definitions: ReadonlyMap<string, ActorDefinition>
  /** What must not be seen, beside tokens: private keys that were exported, unseal keys, shares, passwords. */
  readonly secrets: ReadonlySet<string>
  /** Session ids of acknowledged logouts, with the true milliseconds of each. */
  readonly revoked: ReadonlyMap<string, number>
  readonly broken: (detail: string) => void
}

/** What an invariant hears. */
export interface Checks {
  actor?(event: ActorEvent): void
  host?(event: HostEvent): void
  step?(event: StepEvent): void
  token?(token: AcceptedToken, at: string): void
  commit?(path: string, changes: readonly Change[]): void
  file?(path: string, contents: Uint8Array, mode: number): void
  frame?(from: string, to: string, frame: Frame): void
  boot?(boot: Boot): void
  /** What the zone tells whoever listens: its log, and every other event, as JSON. */
  told?(text: string): void
  /** After every delivery would be too often: once a second of virtual time. */
  second?(): void
}

export interface Invariant {
  readonly name: string
  /** Where it is promised. */
  readonly source: string
  readonly what: string
  readonly watch: (scene: Scene) => Checks
}

/** All that must hold at every step of every run. Those of the desk are checked where its calls are answered. */
export const invariants: readonly Invariant[] = [
  {
    name: 'needs-first', source: 'design §6, boot order', watch: needsFirst,
    what: 'nobody serves before all that it needs on its host serves',
  },
  {
    name: 'one-incarnation', source: 'design §5, identity', watch: oneIncarnation,
    what: 'of an actor of a host at most one incarnation serves, and numbers only grow',
  },
  {
    name: 'steps-in-order', source: 'buckyos-logins, BOOT', watch: stepsInOrder,
    what: 'no documented step of a boot is marked before those that it follows from',
  },
  {
    name: 'matrix', source: 'design §7, trust matrix', watch: onlyTheMatrix,
    what: 'no token is accepted that the matrix does not name, outside its times, or in boot phase after the boot',
  },
  {
    name: 'revoked-session', source: 'design §7, revocation', watch: revokedStaysOut,
    what: 'a session whose end was answered is accepted nowhere any more',
  },
  {
    name: 'boot-config', source: 'design §7, boot/config', watch: bootConfigByRoot,
    what: 'boot/config is created once, by one transaction into an empty store, and changed by root only, never back',
  },
  {
    name: 'transaction-whole', source: 'design §8, transactions', watch: transactionWhole,
    what: 'of a transaction all is durable, or nothing',
  },
  {
    name: 'revisions-grow', source: 'design §8, revisions', watch: revisionsGrow,
    what: 'revisions of a store grow one by one, through every restart',
  },
  {
    name: 'placed-once', source: 'ARCHITECTURE.md, hosts that fall silent', watch: placedOnce,
    what: 'a program runs where the config says; it is started nowhere else while it runs on a host that is lost',
  },
  {
    name: 'placed-fits', source: 'actors/scheduler/place.ts', watch: placedFits,
    what: 'what is placed on a host fits what it has and its labels, and kernel services are on OODs',
  },
  {
    name: 'no-secret-in-clear', source: 'house rules, secrets', watch: noSecretInClear,
    what: 'no secret is in a store, in a frame that leaves its host, in a log, or in a file that others may read',
  },
  {
    name: 'boot-ends', source: 'design §6, boot', watch: everyBootEnds,
    what: 'every boot ends: the zone serves, or an error says why by its code',
  },
  {
    name: 'restart-limit', source: 'runtime limits, restarts', watch: restartLimitAtOnce,
    what: 'an actor that died too often is failed at the very time of its last death, and not before',
  },
]

/** Checked by whoever sits at the desk. */
export const deskInvariants: readonly Omit<Invariant, 'watch'>[] = [
  {
    name: 'acknowledged-write', source: 'design §8, durable',
    what: 'a write that was acknowledged is there, at every later read and in the end',
  },
  {
    name: 'watch-order', source: 'RUNTIME.md, streams',
    what: 'the events of a watch come in order, without going back and without a gap',
  },
  {
    name: 'policy-in-force', source: 'design §7, revocation',
    what: 'a change of the policy that was answered holds for every verifier',
  },
  {
    name: 'sudo', source: 'buckyos-logins, review item 1',
    what: 'what needs sudo is refused to a session, and a sudo token is good once',
  },
  { name: 'liveness', source: 'second phase', what: 'once everything is well, all serves again within its budget' },
]

/** Checked by the scenarios that have cases. */
export const caseInvariants: readonly Omit<Invariant, 'watch'>[] = [
  {
    name: 'forced-order', source: 'boot/sim/orders.ts',
    what: 'what starts, and what comes back, does so in the order that the case forces',
  },
  {
    name: 'restart-intensity', source: 'runtime limits, restarts',
    what: 'each restart comes at the very time that the budget says, and none after one death too many',
  },
  {
    name: 'one-store', source: 'runtime/store/move/move.ts',
    what: 'of a store that moves there is one at every moment; it is retired when all of it is in use where it went',
  },
]

/** Of hosts that join from elsewhere, and of several OODs. */
export const hostInvariants: readonly Omit<Invariant, 'watch'>[] = [
  {
    name: 'one-leader', source: 'actors/leading.ts',
    what: 'a term has one leader, that of its record; terms grow, and no two hosts believe that they lead',
  },
  {
    name: 'no-fenced-write', source: 'actors/system-config/leaders.ts',
    what: 'no write is taken whose term is not that of the record at that moment',
  },
  {
    name: 'leader-moves', source: 'design §7, several OODs',
    what: 'when a leader falls silent another one leads within a lease and a second, and other OODs take writes',
  },
  { name: 'token-once', source: 'actors/vault/join/enrol.ts', what: 'a join token is redeemed by one device only' },
  {
    name: 'revoked-out', source: 'design §7, enrolment',
    what: 'a host that was revoked is answered nothing 5 s and a recheck later, has no tunnel, and never comes back',
  },
]

/** Checked through years of certificates. */
export const yearsInvariants: readonly Omit<Invariant, 'watch'>[] = [
  {
    name: 'pair-verifies', source: 'runtime/x509/verify-chain.ts',
    what: 'at every moment two hosts that run trust each other by what each of them knows',
  },
  {
    name: 'revoked-refused', source: 'actors/vault/pki/revocation.ts',
    what: 'soon after a revocation nobody takes the certificate any more',
  },
  { name: 'certificate-recorded', source: 'actors/vault/pki/keep.ts', what: 'what was answered is in the inventory' },
  { name: 'serial-once', source: 'actors/vault/pki/keep.ts', what: 'no two certificates have one serial' },
  {
    name: 'authority-in-time', source: 'actors/cert-manager/due.ts',
    what: 'each authority is followed at half of its life, and none signs what outlives it',
  },
  { name: 'list-fresh', source: 'actors/cert-manager/published.ts', what: 'no published revocation list has ended' },
  {
    name: 'root-set', source: 'actors/vault/pki/root-set.ts',
    what: 'who trusts the anchor can take each set of roots that it has signed',
  },
  { name: 'inventory-bounded', source: 'actors/vault/pki/tidy.ts', what: 'what has ended leaves the inventory' },
  {
    name: 'holder-served', source: 'actors/vault/join/enrol.ts',
    what: 'a host that asks for a certificate is refused only for a reason that is expected',
  },
  {
    name: 'barrier-rotated', source: 'actors/vault/seal/reencrypt.ts',
    what: 'after all is sealed anew, nothing is of an older term',
  },
  {
    name: 'audit-whole', source: 'actors/vault/audit/chain.ts',
    what: 'the audit verifies from its first record to its last, through every power cut',
  },
  { name: 'quiet-log', source: 'boot/sim/years.ts', what: 'the vault and its certificate manager report no error' },
]

/** Of every run, whatever is simulated. */
export const runInvariants: readonly Omit<Invariant, 'watch'>[] = [
  { name: 'ends', source: 'boot/sim/run.ts', what: 'a run ends within the events and the time that it may have' },
  {
    name: 'error', source: 'RUNTIME.md, errors',
    what: 'nothing fails but by an error that somebody expects: no exception is left over',
  },
]

export class InvariantBroken extends Error {
  readonly invariant: string
  readonly detail: string

  constructor(invariant: string, detail: string) {
    super(`${invariant}: ${detail}`)
    this.name = 'InvariantBroken'
    this.invariant = invariant
    this.detail = detail
  }
}

/** Starts every check. Each hears everything that it asked for, in the order of the table. */
export function watchAll(scene: Omit<Scene, 'broken'>): Required<Omit<Checks, 'second'>> & { second(): void } {
  const all = invariants.map(({ name, watch }) =>
    watch({ ...scene, broken: (detail) => scene.world.fail(new InvariantBroken(name, detail)) }))
  const tell = <K extends keyof Checks>(kind: K) => {
    const interested = all.filter((checks) => checks[kind] !== undefined)
    return (...args: Parameters<NonNullable<Checks[K]>>): void => {
      for (const checks of interested) (checks[kind] as (...given: typeof args) => void)(...args)
    }
  }
  return {
    actor: tell('actor'), host: tell('host'), step: tell('step'), token: tell('token'), commit: tell('commit'),
    file: tell('file'), frame: tell('frame'), boot: tell('boot'), told: tell('told'), second: tell('second'),
  }
}
