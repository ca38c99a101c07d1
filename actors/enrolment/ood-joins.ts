import type { ActorStart } from '../../runtime/actor.ts'
import { Unavailable } from '../../runtime/errors.ts'
import type { HttpRequest } from '../../runtime/platform/ports.ts'
import type { Client, Infer } from '../../runtime/protocol.ts'
import { fingerprint, verifyStatement } from '../join-protocol.ts'
import type { OodJoinAnswer, OodJoinRequest } from '../join-ood-protocol.ts'
import { JOIN_SEQUENCE, joinStep } from '../join-steps.ts'
import type { SystemConfig } from '../system-config/protocol.ts'
import { JoinRefused, type OodIssued, type OodRequest, type Vault } from '../vault/protocol.ts'
import type { JoinCheck } from './checks.ts'
import type { Registrations } from './registrations.ts'

/** Where the stores of this zone lie, as its config has it: what another OOD has to be told. */
export interface EtcdPlace {
  readonly endpoints: readonly string[]
  readonly prefix: string
}

type Ports = Pick<ActorStart, 'keys' | 'step'> & {
  readonly vault: Pick<Client<typeof Vault>, 'checkJoinToken' | 'enrolOod'>
  readonly systemConfig: Pick<Client<typeof SystemConfig>, 'trust'>
  /** The session of enrolment. */
  readonly token: () => string
  readonly registrations: Pick<Registrations, 'told' | 'demandOod' | 'stored'>
  readonly checks: readonly JoinCheck[]
  /** Undefined where this zone has one OOD. */
  readonly etcd: EtcdPlace | undefined
  /** Milliseconds by which the other clock is behind ours. @throws ClockSkew */
  readonly skewOf: (now: number) => number
  /** Runs it with the certificate that the connection was shown. */
  readonly toServer: <T>(run: (server: string) => Promise<T>) => Promise<T>
}

export type OodJoinsHere = (
  request: OodJoinRequest, from: Pick<HttpRequest, 'remoteAddress'>,
) => Promise<Infer<typeof OodJoinAnswer>>

/** Hosts that want to be OODs: asked as often as they like, they hear that they wait until the owner has decided. */
export function createOodJoins(
  { keys, step, vault, systemConfig, token: session, registrations, checks, etcd, skewOf, toServer }: Ports,
): OodJoinsHere {
  const joined = async (host: string, issued: OodIssued, place: EtcdPlace, skewMs: number) => {
    const { document, etcd: etcds, unseal, serial, certificate, chain, roots, notBefore, notAfter } = issued
    const stored = await registrations.stored(host)
    if (stored !== document) {
      throw stored === undefined ? new Unavailable('The owner has approved this host, and has yet to register it')
        : new JoinRefused('The owner has signed for another host of this name', { reason: 'owned' })
    }
    const { bootRevision: revision, store: { id } } = await systemConfig.trust({}, { token: session() })
    return {
      serial, certificate, chain, roots, notBefore, notAfter, skewMs, document, ...await registrations.told(),
      etcd: {
        certificate: etcds.certificate, chain: etcds.chain, roots: etcds.roots, endpoints: [...place.endpoints],
        prefix: place.prefix,
      },
      store: { id, revision }, unseal,
    }
  }

  return async ({ now, ...asked }, { remoteAddress: address }) => {
    const { token, host, csr, device } = asked
    if (!etcd) throw new JoinRefused('The stores of this zone are one host’s alone: it has one OOD', { reason: 'role' })
    const skewMs = skewOf(now)
    const csrHash = fingerprint(keys, new TextEncoder().encode(csr))
    step(JOIN_SEQUENCE, joinStep.requestReceived, { host, address, csr: csrHash, role: 'ood' })
    const known = await vault.checkJoinToken({ token, host })
    const stated = verifyStatement(keys, device)
    await registrations.demandOod(host, stated.accepted ? stated.payload.key : undefined)
    step(JOIN_SEQUENCE, joinStep.tokenGood, { host, jti: known.id, expiresAt: known.expiresAt })
    const rules: string[] = []
    const attempt = { token: known, host, address, device: () => (stated.accepted ? stated.kid : undefined) }
    for (const { name, check } of checks) rules.push(`${name}: ${await check(attempt)}`)
    step(JOIN_SEQUENCE, joinStep.addressChecked, { host, address, rules: rules.join(', ') })
    const { request, issued }: { request: OodRequest; issued?: OodIssued | undefined } = await toServer((server) =>
      vault.enrolOod({ ...asked, server, skewMs: Math.max(0, skewMs) }))
    if (!issued) return { waiting: { device: request.device, since: request.at } }
    const { serial, retried } = issued
    step(JOIN_SEQUENCE, joinStep.certificateReceived, { host, serial, device: request.device, jti: known.id, retried })
    return { joined: await joined(host, issued, etcd, skewMs) }
  }
}
