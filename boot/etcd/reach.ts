import { Unavailable } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import type { Platform } from '../../runtime/platform/ports.ts'
import { backoffMs } from '../../runtime/restart.ts'
import type { EtcdCredentials } from '../../runtime/store/etcd.ts'
import { lookAtEtcd, type EtcdAnswer } from '../../runtime/store/etcd/look.ts'
import { probeEtcd, shownBy, type Probe, type ProbeFault } from '../../runtime/store/etcd/probe.ts'
import { pause } from '../../runtime/within.ts'
import { parseCertificate } from '../../runtime/x509/certificate.ts'
import { CertificateDistrusted, verifyChain } from '../../runtime/x509/verify-chain.ts'
import { EtcdCertificateExpired, EtcdNotTrusted, EtcdRefused, EtcdUnreachable } from '../errors.ts'
import { certificatesIn } from './certificates.ts'
import { endpointOf } from './names.ts'

export interface ReachOptions {
  readonly platform: Platform
  readonly endpoints: readonly string[]
  readonly credentials: EtcdCredentials
  /** Milliseconds in all; default: `limits.etcdReachMs`. */
  readonly withinMs?: number
  /** Told before each further round. */
  readonly onWait?: (waiting: { readonly missing: readonly string[]; readonly detail: string }) => void
}

/** A member: DER of its certificate, and whether it is on this machine. */
export interface Shown {
  readonly certificate: Uint8Array
  readonly isHere: boolean
}

export interface Reached extends EtcdAnswer {
  /** Endpoints that answered; the others are down, which a cluster may bear. */
  readonly answered: readonly string[]
  readonly absent: readonly { readonly endpoint: string; readonly detail: string }[]
  /** What each of those has shown. */
  readonly shown: ReadonlyMap<string, Shown>
}

type Failed = Extract<Probe, { reached: false }>

/**
 * Looks at every member, until one takes our certificate and the cluster answers. What only a person can mend ends it
 * at once; what may pass is waited for, `limits.etcdReachMs` in all.
 * @throws EtcdUnreachable, EtcdNotTrusted, EtcdRefused, EtcdCertificateExpired
 */
export async function reachEtcd(
  { platform, endpoints, credentials, onWait, withinMs = limits.etcdReachMs }: ReachOptions,
): Promise<Reached> {
  const { clock } = platform
  const random = platform.random.fork('reach etcd')
  const end = clock.monotonic() + withinMs
  for (let round = 0; ; round++) {
    const probes = await Promise.all(endpoints.map((endpoint) => probe(clock, endpoint, credentials)))
    const failed = probes.flatMap(({ endpoint, found }) => (found.reached ? [] : [{ endpoint, found }]))
    const shown = new Map(probes.flatMap(({ endpoint, found }) =>
      (found.reached ? [[endpoint, found] as const] : [])))
    const answered = [...shown.keys()]
    const absent = failed.map(({ endpoint, found: { detail } }) => ({ endpoint, detail }))
    let detail = absent.map((each) => `${each.endpoint}: ${each.detail}`).join('; ')
    if (answered.length > 0) {
      try {
        return { ...await lookAtEtcd({ endpoints: answered, credentials, clock }), answered, absent, shown }
      } catch (error) {
        if (!(error instanceof Unavailable)) throw error
        detail = `${answered.length} of ${endpoints.length} members answer, and they have no leader`
      }
    } else {
      const final = failed.find(({ found: { fault } }) => !passing.includes(fault))
      if (final) {
        const fault = final.found.fault === 'authority' && await hasEnded(platform, final.endpoint, credentials)
          ? 'expired' : final.found.fault
        throw refusal(final.endpoint, { ...final.found, fault }, credentials)
      }
    }
    const missing = absent.map(({ endpoint }) => endpoint)
    if (clock.monotonic() >= end) throw unreachable(detail, missing, withinMs)
    onWait?.({ missing, detail })
    await pause(clock, backoffMs(random, round, { min: limits.etcdRetryMsMin, max: limits.etcdRetryMsMax }))
  }
}

/** A server that is about to come. */
const passing: readonly ProbeFault[] = ['unreachable', 'no-tls']

async function probe(
  clock: Platform['clock'], url: string, credentials: EtcdCredentials,
): Promise<{ endpoint: string; found: Probe }> {
  const { host: hostname, port } = endpointOf(url)
  return { endpoint: url, found: await probeEtcd({ hostname, port, credentials, withinMs: limits.etcdProbeMs, clock }) }
}

/** TLS on Deno says of a certificate that has ended no more than that it cannot be verified. */
async function hasEnded(
  { clock, keys: { certificates: keys } }: Platform, endpoint: string, { authority }: EtcdCredentials,
): Promise<boolean> {
  const { host: hostname, port } = endpointOf(endpoint)
  const shown = await shownBy({ hostname, port, withinMs: limits.etcdProbeMs, clock })
  if (!shown) return false
  try {
    verifyChain({
      leaf: parseCertificate(shown), intermediates: [], roots: certificatesIn(authority), at: clock.now(), keys,
      purpose: 'serverAuth',
    })
    return false
  } catch (error) {
    return error instanceof CertificateDistrusted && error.details['reason'] === 'expired'
  }
}

function unreachable(detail: string, missing: readonly string[], withinMs: number): Error {
  return new EtcdUnreachable(`etcd was not reached within ${withinMs / 1000} s: ${detail}`, {
    missing, next: 'Start its members, more than half of them, with the certificates that `gen pems` has made; '
      + 'then run it again: nothing was changed',
  })
}

function refusal(endpoint: string, { fault, detail }: Failed, { serverName }: EtcdCredentials): Error {
  const name = serverName ?? endpointOf(endpoint).host
  const details = { endpoint, reason: fault }
  switch (fault) {
    case 'authority': return new EtcdNotTrusted(`${endpoint} has a certificate of another authority: ${detail}`, {
      ...details, next: 'Give this member the cert.pem, private.key and ca.pem that `gen pems` has made for it',
    })
    case 'name': return new EtcdNotTrusted(`${endpoint} has a certificate that is not for ${name}: ${detail}`, {
      ...details, next: 'Name the member in xline_config.endpoints as its certificate does, or run `gen pems` again',
    })
    case 'expired': return new EtcdCertificateExpired(`The certificate of ${endpoint} has ended: ${detail}`, {
      ...details, next: 'Run `recover etcd`, and copy the new files to each member',
    })
    default: return new EtcdRefused(`${endpoint} does not take the certificate of this host: ${detail}`, {
      ...details, next: 'Start this member with the cert.pem, private.key and ca.pem that `gen pems` has made for it, '
        + 'and --client-cert-auth; its clock may be wrong, too',
    })
  }
}
