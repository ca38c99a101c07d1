import type { Peer, Self } from '../runtime/actor.ts'
import type { Denial, DenialReason } from '../runtime/trust/denial.ts'
import { tokenLifetimeSeconds, type TokenUse } from '../runtime/trust/token.ts'
import type { TokenRule } from '../runtime/trust/verify.ts'

/** Who trusts what: the whole of it (DESIGN §7), and nothing but data and the look-up of a row. */

export type Verifier = 'system-config' | 'verify-hub' | 'kernel-service' | 'service' | 'node' | 'gateway' | 'vault'
export type Phase = 'boot' | 'normal'

/** Why a verifier knows a key: `TrustKey.reason`. For a `*` the name that stands there is the key's issuer. */
export const keyReason = {
  env: 'env',
  root: 'boot-config.root',
  verifyHub: 'boot-config.verify-hub',
  device: 'devices/*/doc',
  user: 'users/*/doc',
} as const

/** `iss` of the two keys in `boot/config`. A device signs as its host name, a user as their name. */
export const issuers = { root: 'root', verifyHub: 'verify-hub' } as const

/** Names and runtime types that only an OOD may have. */
export const kernelActors = [
  'system-config', 'boot-scheduler', 'scheduler', 'verify-hub', 'vault', 'vault-listener', 'cert-manager',
  'node-monitor',
  'dns', 'enrolment',
] as const

export const kernelRuntimeTypes = ['ood', 'kernel-service'] as const

/**
 * Names that no login, device or user may have or speak for: root is the principal of an owner-signed token, nothing
 * else; `su_alice` exists only inside the sudo rule of the policy; a kernel actor logs in for its device.
 */
export const reservedSubjects: readonly string[] = [issuers.root, 'su_*', 'kernel', ...kernelActors]

export const isReserved = (name: string): boolean =>
  reservedSubjects.some((one) => (one.endsWith('*') ? name.startsWith(one.slice(0, -1)) : name === one))

type RuleBody = Omit<TokenRule, 'id' | 'lifetimeSecondsMax'>

/** The rules that more than one verifier has. */
const body = {
  /** Seed: boot, "own ENV passes a session-token made with its own private key". */
  bootToken: {
    tokenUse: 'boot', keyReasons: [keyReason.env], subject: { is: ['scheduler'] }, audience: true, audienceAlone: true,
    runtimeTypes: ['kernel-service'], once: false,
  },
  /** Seed: OOD, LOGIN_TYPE self. The device that this verifier was started with, and no other. */
  deviceSession: {
    tokenUse: 'session', keyReasons: [keyReason.env], subject: 'issuer', subjectsRefused: reservedSubjects,
    audience: true, runtimeTypes: ['ood'], once: false,
  },
  /** Seed: verify-hub, LOGIN_TYPE self. */
  verifyHubSelf: {
    tokenUse: 'session', keyReasons: [keyReason.verifyHub], subject: { is: [issuers.verifyHub] }, audience: true,
    runtimeTypes: ['kernel-service'], once: false,
  },
  /** What a login gives. */
  session: {
    tokenUse: 'session', keyReasons: [keyReason.verifyHub], subject: 'any', subjectsRefused: reservedSubjects,
    audience: true, requireSession: true, once: false,
  },
  root: {
    tokenUse: 'root', keyReasons: [keyReason.root], subject: { is: [issuers.root] }, audience: true,
    audienceAlone: true, once: true,
  },
  /** Seed: sudo is for users only; signed with the user's own key. */
  sudo: {
    tokenUse: 'sudo', keyReasons: [keyReason.user], subject: 'issuer', subjectsRefused: reservedSubjects,
    audience: true, audienceAlone: true, runtimeTypes: ['user'], once: true,
  },
  /** Whom it may log in is for verify-hub to read in `services/{appid}/spec` and `nodes/{iss}/config`. */
  login: {
    tokenUse: 'login', keyReasons: [keyReason.device], issuersRefused: reservedSubjects,
    subject: 'any', subjectsRefused: reservedSubjects, audience: true, audienceAlone: true, once: true,
  },
  /** Rotation and detection of reuse are verify-hub's, since a retry by the same holder gets the same answer. */
  refresh: {
    tokenUse: 'refresh', keyReasons: [keyReason.verifyHub], subject: 'any', subjectsRefused: reservedSubjects,
    audience: true, audienceAlone: true, requireSession: true, once: false,
  },
} as const satisfies Readonly<Record<string, RuleBody>>

type RuleName = keyof typeof body

/** The matrix. What is not here is refused. */
export const matrix: Readonly<Record<Verifier, Readonly<Record<Phase, readonly RuleName[]>>>> = {
  'system-config': {
    boot: ['bootToken', 'deviceSession'],
    normal: ['deviceSession', 'session', 'verifyHubSelf', 'root', 'sudo'],
  },
  /** What a login needs, and for the methods by which people look after sessions and passwords: who asks. */
  'verify-hub': { boot: [], normal: ['login', 'refresh', 'session', 'sudo'] },
  'kernel-service': { boot: [], normal: ['session', 'root', 'sudo'] },
  service: { boot: [], normal: ['session', 'root', 'sudo'] },
  node: { boot: [], normal: ['session', 'root'] },
  /** Of the cookie; the audience is the target app. A tunnel is admitted by device document. */
  gateway: { boot: [], normal: ['session'] },
  /** By link certificate and vault policy only. */
  vault: { boot: [], normal: [] },
}

const rules = new Map<string, readonly TokenRule[]>()
for (const [verifier, phases] of Object.entries(matrix)) {
  for (const [phase, names] of Object.entries(phases)) {
    rules.set(`${verifier}/${phase}`, Object.freeze(names.map((name) => ({
      id: `${verifier}/${phase}/${name}`, ...body[name], lifetimeSecondsMax: tokenLifetimeSeconds[body[name].tokenUse],
    }))))
  }
}

export const rulesFor = (verifier: Verifier, phase: Phase): readonly TokenRule[] =>
  rules.get(`${verifier}/${phase}`) ?? []

/** For a method that takes one kind of token: a session must not pass where a login is asked for. */
export const onlyUse = (from: readonly TokenRule[], ...uses: readonly TokenUse[]): readonly TokenRule[] =>
  from.filter((rule) => uses.includes(rule.tokenUse))

/**
 * LOGIN_TYPE: the kind of login action that each role performs (seed). It does not say whether the role is authorised,
 * nor whether its callers need a token: that is the matrix.
 */
export const loginTypes = {
  'system-config': 'none',
  vault: 'none',
  ood: 'self',
  'verify-hub': 'self',
  node: 'by-jwt',
  service: 'by-jwt',
  scheduler: 'by-jwt',
  gateway: 'by-jwt',
  'client-device': 'by-jwt',
  user: 'by-password',
  sudo: 'by-jwt',
} as const satisfies Readonly<Record<string, 'self' | 'by-jwt' | 'by-password' | 'none'>>

export type Role = keyof typeof loginTypes

export type HostRole = 'ood' | 'node'

export interface LinkRow {
  readonly callee: string
  /** Actors that may call, or `*`. */
  readonly callers: readonly string[]
  /** `same`: the callee's own host; `ood`: any host of the control plane; `any`: any registered one. */
  readonly hosts: 'same' | 'ood' | 'any'
  /** In boot phase only rows that say so hold, and then for the callee's own host only. */
  readonly boot: boolean
  readonly minimum: 'mac' | 'sealed'
}

const row = (
  callee: string, callers: readonly string[], hosts: LinkRow['hosts'], boot: boolean, minimum: LinkRow['minimum'],
): LinkRow => ({ callee, callers, hosts, boot, minimum })

const SUPERVISOR = 'supervisor'

/** Who may open a link to whom. The first row that holds decides; where none does, the link is refused. */
export const linkRows: readonly LinkRow[] = [
  row(SUPERVISOR, ['node-daemon'], 'same', true, 'mac'),
  row('system-config', [SUPERVISOR, 'boot-scheduler', 'node-daemon'], 'same', true, 'mac'),
  row('system-config', ['*'], 'same', false, 'mac'),
  row('system-config', ['*'], 'any', false, 'sealed'),
  row('boot-scheduler', [SUPERVISOR, 'node-daemon'], 'same', true, 'mac'),
  row('vault', [SUPERVISOR, 'boot-scheduler'], 'same', true, 'sealed'),
  row('vault', ['verify-hub', 'scheduler', 'boot-scheduler', 'cert-manager', 'enrolment'], 'ood', false, 'sealed'),
  row('verify-hub', ['*'], 'same', false, 'mac'),
  row('verify-hub', ['*'], 'any', false, 'sealed'),
  row('scheduler', [SUPERVISOR, 'node-daemon', 'gateway'], 'same', false, 'mac'),
  row('node-daemon', ['*'], 'same', false, 'mac'),
  row('gateway', ['*'], 'same', false, 'mac'),
  /** Services, by whichever name: they check each call's token. */
  row('*', ['*'], 'same', false, 'mac'),
  row('*', ['*'], 'any', false, 'sealed'),
]

export interface LinkCallee {
  readonly self: Pick<Self, 'zone' | 'host' | 'actor'>
  readonly phase: Phase
  /** Role of a host whose device document this host has checked. */
  readonly roleOf: (host: string) => HostRole | undefined
  /** Protection of its frames. */
  readonly base: 'mac' | 'sealed'
}

export type LinkVerdict =
  | { readonly allowed: true; readonly rule: string; readonly minimum: 'mac' | 'sealed' }
  | { readonly allowed: false; readonly denial: Denial }

/** Whether this peer, whose link certificate was checked, may link to this actor at all. */
export function linkAllowed(peer: Peer, callee: LinkCallee): LinkVerdict {
  const { self, phase } = callee
  const no = (reason: DenialReason, detail: string, rule = '-'): LinkVerdict =>
    ({ allowed: false, denial: { layer: 'link', reason, rule, detail } })
  if (peer.zone !== self.zone) return no('link/zone', `zone ${peer.zone}`)
  const role = callee.roleOf(peer.host)
  if (!role) return no('link/unknown-host', `host ${peer.host}`)
  if (role !== 'ood' && claimsKernel(peer)) {
    return no('link/kernel-name', `${peer.actor} (${peer.runtimeType}) on ${peer.host}, which is a ${role}`)
  }
  if (phase === 'boot' && peer.host !== self.host) return no('link/phase', `host ${peer.host}`)
  const found = linkRows.find((row) => rowHolds(row, peer, callee, role))
  if (!found) return no('link/no-row', `${peer.actor} on ${peer.host} to ${self.actor}`)
  if (found.minimum === 'sealed' && callee.base !== 'sealed') {
    return no('link/suite', `${peer.actor} on ${peer.host} by ${callee.base}`, ruleOfRow(found))
  }
  return { allowed: true, rule: ruleOfRow(found), minimum: found.minimum }
}

const claimsKernel = ({ actor, runtimeType }: Peer): boolean =>
  (kernelActors as readonly string[]).includes(actor) || (kernelRuntimeTypes as readonly string[]).includes(runtimeType)

function rowHolds(row: LinkRow, peer: Peer, { self, phase }: LinkCallee, role: HostRole): boolean {
  if (phase === 'boot' && !row.boot) return false
  if (row.callee !== self.actor && (row.callee !== '*' || namedCallees.has(self.actor))) return false
  if (!row.callers.includes('*') && !row.callers.includes(peer.actor)) return false
  return row.hosts === 'any' || (row.hosts === 'ood' ? role === 'ood' : peer.host === self.host)
}

/** What an actor of any registered host may need of an OOD. */
export const reachableActors: readonly string[] =
  [...new Set(linkRows.filter(({ hosts, callee }) => hosts === 'any' && callee !== '*').map(({ callee }) => callee))]

/** A callee with rows of its own is not reached by those of `*`. */
const namedCallees: ReadonlySet<string> = new Set(linkRows.map(({ callee }) => callee).filter((name) => name !== '*'))

const ruleOfRow = ({ callee, callers, hosts }: LinkRow): string => `link/${callee}/${callers.join('+')}/${hosts}`
