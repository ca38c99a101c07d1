import type { Vault } from '../../actors/vault/protocol.ts'
import { mayCrash } from '../../runtime/fault-points.ts'
import type { Files, Platform } from '../../runtime/platform/ports.ts'
import type { Client } from '../../runtime/protocol.ts'
import { limits } from '../../runtime/limits.ts'
import { parseCertificate, type Certificate } from '../../runtime/x509/certificate.ts'
import { sameBytes } from '../../runtime/x509/der.ts'
import { signRequest } from '../../runtime/x509/csr.ts'
import { encodeName } from '../../runtime/x509/name.ts'
import { decodePems, encodePem } from '../../runtime/x509/pem.ts'
import { serialText } from '../../runtime/x509/serial.ts'
import { verifyChain } from '../../runtime/x509/verify-chain.ts'
import { readPair, writePair, type FoundPair, type Pair } from './pair.ts'
import type { PairNames } from './names.ts'

/** A certificate that a file of `pems/` is to hold, and who signs it. */
export interface Wanted {
  readonly names: PairNames
  readonly mount: 'pki' | 'pki-etcd'
  readonly role: string
  readonly commonName: string
  readonly dns: readonly string[]
  readonly ip: readonly string[]
  readonly purpose: 'serverAuth' | 'clientAuth'
  /** For another machine: its key may have gone from here, once it is there. */
  readonly handedOut: boolean
}

export interface Held {
  readonly names: PairNames
  readonly serial: string
  /** Epoch milliseconds. */
  readonly notBefore: number
  readonly notAfter: number
  /** Why it was made now; undefined when the one that was there stays. */
  readonly made: string | undefined
}

/** Certificates of one PEM text, the leaf first. @throws InvalidArgument */
export const certificatesIn = (pem: string): readonly Certificate[] =>
  decodePems(pem, 'CERTIFICATE', limits.certificateChain + 1).map((der) => parseCertificate(der))

/** Why a pair cannot stay, or undefined. */
export function fault(
  platform: Platform, pair: FoundPair | undefined, wanted: Wanted, roots: readonly string[],
): string | undefined {
  if (!pair) return 'it was missing'
  if (pair.key === undefined && !wanted.handedOut) return 'its key was missing'
  const { keys: { certificates: keys }, clock } = platform
  try {
    const [leaf, ...intermediates] = certificatesIn(pair.certificate)
    if (!leaf) return 'its file held no certificate'
    const own = pair.key === undefined || sameBytes(keys.importPem(pair.key).public.spki, leaf.spki)
    if (!own) return 'it was for another key'
    const { notBefore, notAfter } = leaf
    const now = clock.now()
    if (now >= notAfter) return 'it had ended'
    if (now > notBefore + (notAfter - notBefore) / 2) return 'more than half of its life was over'
    if (!coversNames(leaf, wanted)) return 'it was for other names'
    verifyChain({
      leaf, intermediates, roots: roots.flatMap((pem) => certificatesIn(pem)), at: now, keys, purpose: wanted.purpose,
    })
  } catch (error) {
    return `it could not be used (${error instanceof Error ? error.message : String(error)})`
  }
  return undefined
}

function coversNames(leaf: Certificate, { dns, ip }: Wanted): boolean {
  const names = new Set((leaf.extensions.names ?? []).map(({ type, value }) => `${type}:${value}`))
  return [...dns.map((name) => `dns:${name}`), ...ip.map((address) => `ip:${address}`)].every((name) => names.has(name))
}

/**
 * The certificate's files as they are to be: what is good stays, anything else is made anew. The key is born here, and
 * goes nowhere but into its file.
 */
export async function holdCertificate(
  { platform, files, vault, roots, renew }: {
    readonly platform: Platform
    readonly files: Files
    readonly vault: Pick<Client<typeof Vault>, 'signCertificate'>
    /** PEM of what a certificate of this mount may end at. */
    readonly roots: readonly string[]
    readonly renew: boolean
  },
  wanted: Wanted,
): Promise<Held> {
  const found = await readPair(files, wanted.names)
  const made = renew ? 'it was to be renewed'
    : await isOpen(files, wanted) ? 'its key could be read by others' : fault(platform, found, wanted, roots)
  if (found && made === undefined) return held(wanted, found.certificate, undefined)
  const pair = await askFor(platform, vault, wanted)
  mayCrash('pems/signed')
  await writePair(files, wanted.names, pair)
  return held(wanted, pair.certificate, made)
}

/** A new key, and the certificate that the vault signs for it. @throws CertificateRefused, VaultSealed */
export async function askFor(
  { keys, random }: Pick<Platform, 'keys' | 'random'>, vault: Pick<Client<typeof Vault>, 'signCertificate'>,
  { mount, role, commonName, dns, ip, names }: Wanted,
): Promise<Pair> {
  const key = await keys.certificates.generate(keys.certificates.preferred, random.fork(`key of ${names.key}`))
  const request = signRequest({ subject: encodeName([{ type: 'CN', value: commonName }]) }, key)
  const { certificate, chain } = await vault.signCertificate({
    mount, role, csr: encodePem('CERTIFICATE REQUEST', request), commonName,
    ...(dns.length === 0 ? {} : { dns: [...dns] }), ...(ip.length === 0 ? {} : { ip: [...ip] }),
  })
  return { certificate: [certificate, ...chain].map(withEnd).join(''), key: withEnd(key.exportPem()) }
}

const withEnd = (pem: string): string => (pem.endsWith('\n') ? pem : `${pem}\n`)

/** A key that others could read may be theirs as well. */
async function isOpen(files: Files, { names }: Wanted): Promise<boolean> {
  const mode = await files.mode(names.key)
  return mode !== undefined && (mode & 0o077) !== 0
}

function held({ names }: Wanted, certificate: string, made: string | undefined): Held {
  const [leaf] = certificatesIn(certificate)
  const { serial, notBefore, notAfter } = leaf!
  return { names, serial: serialText(serial), notBefore, notAfter, made }
}
