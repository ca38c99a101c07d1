import { takeCertificate, type CertificateAsked } from '../../actors/host-certificate.ts'
import { OodJoinAnswer, oodJoinPath, signOodProof, type OodJoined } from '../../actors/join-ood-protocol.ts'
import { fingerprint, signStatement } from '../../actors/join-protocol.ts'
import { joinStep } from '../../actors/join-steps.ts'
import { readDeviceBy } from '../../actors/read-device.ts'
import { openUnsealKey } from '../../actors/sealed-unseal-key.ts'
import { limits } from '../../runtime/limits.ts'
import type { Agreement } from '../../runtime/platform/ports.ts'
import type { TlsPair } from '../../runtime/platform/tls-ports.ts'
import type { Infer } from '../../runtime/protocol.ts'
import { backoffMs } from '../../runtime/restart.ts'
import { toBase64url } from '../../runtime/trust/base64url.ts'
import { pause } from '../../runtime/within.ts'
import { parseCertificate } from '../../runtime/x509/certificate.ts'
import { sameBytes } from '../../runtime/x509/der.ts'
import { decodePem } from '../../runtime/x509/pem.ts'
import { verifyChain } from '../../runtime/x509/verify-chain.ts'
import { NotAZone } from '../errors.ts'
import { retrying, whoami, type Joined, type JoinOptions } from './join-client.ts'
import { meeting, type Met } from './meet.ts'
import { readStanding } from './standing.ts'

/** Made once, so that each attempt asks for the same, also after this process has ended. */
export interface OodAsked {
  readonly tls: CertificateAsked
  readonly etcd: CertificateAsked
  /** The unseal key is sealed to it. */
  readonly agreement: Agreement
}

export interface OodJoinOptions extends JoinOptions {
  readonly asked: OodAsked
  /** Told once: the zone has noted this device key, and its owner is to compare it. */
  readonly onWaiting: (device: string) => void
}

/** A host that may run the control plane of the zone. */
export interface JoinedOod extends Joined {
  readonly etcd: {
    readonly pair: TlsPair
    /** PEM. */
    readonly roots: readonly string[]
    readonly endpoints: readonly string[]
    readonly prefix: string
  }
  readonly store: OodJoined['store']
  readonly unsealKey: string
}

const POLL = { min: limits.oodPollMsMin, max: limits.oodPollMsMax }

/**
 * Joins a zone as an OOD: asks until its owner has decided, or the token ends.
 * @throws what is in `boot/errors`, each with the next step
 */
export async function joinOod(options: OodJoinOptions): Promise<JoinedOod> {
  const { platform: { clock, keys, random }, onStep, host, given, roots, asked: { tls }, signal } = options
  const [rootFingerprint = 'by anchor'] = roots.map((pem) => fingerprint(keys, decodePem(pem, 'CERTIFICATE')))
  onStep(joinStep.hostConfigured, { host, jti: given.token.split('_')[1] ?? '', root: rootFingerprint })
  const csr = fingerprint(keys, new TextEncoder().encode(tls.csr))
  onStep(joinStep.requestMade, { host, csr, key: tls.key.public.type })
  for (let polls = 0; ; polls++) {
    // What is asked again was told the first time
    const again: OodJoinOptions = polls === 0 ? options : { ...options, onStep() {} }
    const { met, answer } = await retrying(again, () => meeting(again, (met) => askOnce(again, met)))
    if (answer.joined) return await accept(options, met, answer.joined)
    if (polls === 0) options.onWaiting(answer.waiting?.device ?? options.device.public.kid)
    await pause(clock, backoffMs(random, polls, POLL), signal)
    if (signal.aborted) throw signal.reason
  }
}

async function askOnce(
  options: OodJoinOptions, met: Met,
): Promise<{ readonly met: Met; readonly answer: Infer<typeof OodJoinAnswer> }> {
  const { platform: { keys, clock }, host, given: { token }, device, onStep, asked } = options
  const [csr, etcdCsr] = [asked.tls.csr, asked.etcd.csr]
  const agreement = toBase64url(asked.agreement.publicKey)
  const server = fingerprint(keys, met.server)
  const iat = Math.floor(clock.now() / 1_000)
  const request = {
    token, host, csr, etcdCsr, agreement, now: clock.now(),
    device: signStatement(device, { zone: met.zone, name: host, role: 'ood', key: device.public.jwk, iat }),
    proof: signOodProof(keys, device, { token, csr, etcdCsr, agreement, server }),
  }
  const of = fingerprint(keys, new TextEncoder().encode(csr))
  onStep(joinStep.requestReceived, { host, csr: of, device: device.public.kid })
  return { met, answer: await met.asking.ask(OodJoinAnswer, 'POST', oodJoinPath, request) }
}

/** Judged as if it came from anybody. @throws NotAZone, CertificateDistrusted */
async function accept(options: OodJoinOptions, met: Met, answer: OodJoined): Promise<JoinedOod> {
  const { platform, host, device, given, asked, onStep } = options
  const { keys } = platform
  const { zone, skewMs, roots } = met
  const taken = takeCertificate(platform, asked.tls, answer, { zone, host, role: 'ood', roots, skewMs })
  if (!taken) throw new NotAZone('The certificate that was given is for another key or host')
  const { tls, serial, notBefore, notAfter } = taken
  onStep(joinStep.certificateGiven, { host, serial, notAfter, skewMs })
  const standing = readStanding(keys, answer, { zone, host, role: 'ood', key: device.public.jwk, owner: given.owner })
  const read = readDeviceBy(keys, standing.zone)
  const sealedBy = (text: string): boolean => {
    const ood = read(text)
    return ood?.role === 'ood' && keys.importJwk(ood.key).kid === answer.unseal.from
  }
  if (!standing.oods.some(sealedBy)) throw new NotAZone('The unseal key was sealed by none of the zone’s OODs')
  const unsealKey = openUnsealKey(keys, answer.unseal, asked.agreement, { zone, host, to: device.public.kid })
  if (unsealKey === undefined) throw new NotAZone('The unseal key that was given is not sealed to this host')
  const joined: JoinedOod = {
    zone, host, role: 'ood', roots, serial, notBefore, notAfter, skewMs, tls, standing,
    etcd: etcdOf(options, answer, skewMs), store: answer.store, unsealKey,
  }
  const me = await retrying(options, () => whoami(options, joined))
  onStep(joinStep.mutualTls, { host: me.host, serial: me.serial, role: me.role })
  return joined
}

function etcdOf(
  { platform: { keys, clock }, asked: { etcd: { key } } }: OodJoinOptions, { etcd }: OodJoined, skewMs: number,
): JoinedOod['etcd'] {
  const { certificate, chain, roots, endpoints, prefix } = etcd
  const [leaf, ...intermediates] = [certificate, ...chain].map((pem) => parseCertificate(decodePem(pem, 'CERTIFICATE')))
  verifyChain({
    leaf: leaf!, intermediates, roots: roots.map((pem) => parseCertificate(decodePem(pem, 'CERTIFICATE'))),
    at: clock.now() + skewMs, keys: keys.certificates, purpose: 'clientAuth',
  })
  if (!sameBytes(leaf!.spki, key.public.spki)) throw new NotAZone('The certificate for etcd is for another key')
  return { pair: { certificate: [certificate, ...chain].join(''), key: key.exportPem() }, roots, endpoints, prefix }
}
