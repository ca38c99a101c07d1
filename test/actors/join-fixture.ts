import { createEnrolling, type EnrolAsked, type Enrolling } from '../../actors/vault/join/enrol.ts'
import { createJoinedHosts, type JoinedHosts } from '../../actors/vault/join/hosts.ts'
import { openJoinTokens, type JoinTokens } from '../../actors/vault/join/tokens.ts'
import { signProof, signStatement } from '../../actors/join-protocol.ts'
import type { DeviceRole } from '../../actors/records.ts'
import type { SigningKey } from '../../runtime/platform/ports.ts'
import { signRequest } from '../../runtime/x509/csr.ts'
import { encodeName } from '../../runtime/x509/name.ts'
import { encodePem } from '../../runtime/x509/pem.ts'
import { keys, random, ZONE, zoned, type Mounted } from './pki-fixture.ts'

/** Fingerprint of the certificate that the listener shows. */
export const SERVER = 'of-the-listener'

export interface Vaulted extends Mounted {
  readonly tokens: JoinTokens
  readonly enrolling: Enrolling
  readonly hosts: JoinedHosts
  /** The enrolment key. */
  readonly signer: () => Promise<SigningKey>
}

/** Tokens and certificates on one store in memory, with a clock of its own. */
export async function joinable(zone = ZONE): Promise<Vaulted> {
  const made = await zoned()
  const ports = { barrier: made.barrier, keys, random, clock: made.clock }
  const tokens = openJoinTokens(ports)
  const enrolment = keys.generate(random)
  const signer = async () => enrolment
  const registering = { ...ports, zone, pki: made.pki, signer }
  return {
    ...made, tokens, signer, enrolling: createEnrolling({ ...registering, tokens }),
    hosts: createJoinedHosts(registering),
  }
}

export const device = (): SigningKey => keys.generate(random)

export async function csrFor(name: string, names: Parameters<typeof signRequest>[0]['names'] = []): Promise<string> {
  const key = await keys.certificates.generate('ec-p256', random)
  const subject = encodeName([{ type: 'CN', value: name }])
  return encodePem('CERTIFICATE REQUEST', signRequest({ subject, names }, key))
}

/** As a host makes it. */
export async function asked(
  token: string, host: string, by: SigningKey,
  changes: Partial<EnrolAsked> & { zone?: string; name?: string; role?: DeviceRole } = {},
): Promise<EnrolAsked> {
  const { zone = ZONE, name = host, role = 'node', ...rest } = changes
  const csr = rest.csr ?? await csrFor(host)
  const statement = signStatement(by, { zone, name, role, key: by.public.jwk, iat: 0 })
  const proof = signProof(keys, by, { token, csr, server: SERVER })
  return { token, host, csr, device: statement, proof, server: SERVER, ...rest }
}

export const makeToken = async ({ tokens }: Vaulted, host = 'node1', more: object = {}): Promise<string> =>
  (await tokens.create({ host, role: 'node', by: 'owner', ...more })).token
