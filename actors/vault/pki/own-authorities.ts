import { InvalidArgument, LimitExceeded } from '../../../runtime/errors.ts'
import { limits } from '../../../runtime/limits.ts'
import type { CertificateKeyType, CertificateSigningKey } from '../../../runtime/platform/certificate-keys.ts'
import { object, string } from '../../../runtime/protocol.ts'
import { parseCertificate, type Certificate } from '../../../runtime/x509/certificate.ts'
import { signRequest } from '../../../runtime/x509/csr.ts'
import { sameBytes } from '../../../runtime/x509/der.ts'
import { decodePems, encodePem } from '../../../runtime/x509/pem.ts'
import { openAuthority, toText, type OpenAuthority, type StoredAuthority } from './authority-record.ts'
import { authorityIdOf, makeAuthority } from './make-authority.ts'
import type { Pki } from './pki.ts'
import { notInVault } from './refused.ts'
import { nextList } from './revocation-list.ts'
import { withRoom } from './rotation.ts'

/** Authorities of a mount that a client of Vault makes, step by step. */
export interface RootWish {
  /** DER of a Name. */
  readonly subject: Uint8Array
  readonly notAfter: number
  readonly keyType: CertificateKeyType
  readonly pathLength?: number
}

const Pending = object({ key: string() })
const PENDING = 'pending/'

/** @throws InvalidArgument on a mount whose authorities the zone makes itself */
function assertOwn({ shape, mount }: Pki): void {
  if (shape !== undefined) {
    throw new InvalidArgument(`The zone makes the authorities of this mount itself, and renews them: ${mount}`)
  }
}

/** The first signs at once; later ones wait until they replace it (`root/replace`). */
export async function generateRoot(pki: Pki, wish: RootWish): Promise<OpenAuthority> {
  assertOwn(pki)
  const made = await makeAuthority(pki.ports, {
    kind: 'root', state: 'active', subject: () => wish.subject, notAfter: wish.notAfter, keyType: wish.keyType,
    ...(wish.pathLength === undefined ? {} : { pathLength: wish.pathLength }),
  })
  return add(pki, made)
}

async function add(pki: Pki, made: StoredAuthority, replaces = false): Promise<OpenAuthority> {
  const { authorities, ports, settings } = pki
  const lifeMs = (await settings.read()).crlSeconds * 1_000
  const book = await authorities.change((before) => {
    if (before.authorities.some(({ id }) => id === made.id)) return undefined
    const signs = replaces || before.signer === undefined
    const stored: StoredAuthority = { ...made, state: signs ? 'active' : 'next' }
    const list = [...before.authorities.map((one) => one.stored), stored]
    if (!signs) return { authorities: withRoom(list) }
    const opened = openAuthority(stored, ports.keys.certificates)
    const first = nextList(opened, undefined, [], { now: ports.clock.now(), lifeMs })
    return { authorities: withRoom(list), guards: [first.guard], changes: [first.change] }
  })
  return book.authorities.find(({ id }) => id === made.id)!
}

/** Takes all authorities of the mount away, and their keys. */
export async function deleteRoot(pki: Pki): Promise<void> {
  assertOwn(pki)
  await pki.authorities.change(({ authorities }) => {
    if (authorities.length === 0) return undefined
    return { authorities: [], changes: authorities.map(({ id }) => ({ path: `crl/${id}`, value: undefined })) }
  })
}

export interface PendingRequest {
  readonly id: string
  readonly csr: string
  readonly key: CertificateSigningKey
}

/** A key whose certificate another authority is to sign. */
export async function requestIntermediate(
  pki: Pki, { subject, keyType }: Pick<RootWish, 'subject' | 'keyType'>,
): Promise<PendingRequest> {
  assertOwn(pki)
  const { keys, random, barrier } = pki.ports
  const { paths } = await barrier.list(PENDING, { limit: limits.vaultPendingKeys })
  if (paths.length >= limits.vaultPendingKeys) {
    throw new LimitExceeded(`At most ${limits.vaultPendingKeys} keys wait for their certificate: set one of them`)
  }
  const key = await keys.certificates.generate(keyType, random)
  const id = authorityIdOf(pki.ports, key.public.spki)
  await barrier.commit([], [{ path: PENDING + id, value: { key: key.exportPem() } }])
  return { id, csr: encodePem('CERTIFICATE REQUEST', signRequest({ subject }, key)), key }
}

/** The certificate of a key that waits for it, with those above it. */
export async function setSigned(pki: Pki, text: string): Promise<OpenAuthority> {
  assertOwn(pki)
  const { barrier } = pki.ports
  const certificates = readBundle(text)
  for (const certificate of certificates) {
    const path = PENDING + authorityIdOf(pki.ports, certificate.spki)
    const found = await barrier.read(path, Pending)
    if (found === undefined) continue
    const added = await adopt(pki, certificates, certificate, found.value.key)
    await barrier.commit([], [{ path, value: undefined }])
    return added
  }
  throw notInVault('key that waits for this certificate', pki.mount)
}

/** A key and its certificate, with those above it, that were made elsewhere. */
export async function importAuthority(pki: Pki, text: string): Promise<OpenAuthority> {
  assertOwn(pki)
  const pem = /-----BEGIN (?:EC |RSA )?PRIVATE KEY-----[^-]*-----END (?:EC |RSA )?PRIVATE KEY-----/.exec(text)?.[0]
  if (pem === undefined) throw new InvalidArgument('The bundle holds no private key')
  const key = pki.ports.keys.certificates.importPem(`${pem}\n`)
  const certificates = readBundle(text)
  const own = certificates.find(({ spki }) => sameBytes(spki, key.public.spki))
  if (own === undefined) throw new InvalidArgument('The bundle holds no certificate of its private key')
  return adopt(pki, certificates, own, key.exportPem())
}

function readBundle(text: string): readonly Certificate[] {
  const ders = decodePems(text, 'CERTIFICATE', limits.certificateChain + 1)
  if (ders.length === 0) throw new InvalidArgument('There is no PEM block CERTIFICATE')
  return ders.map(parseCertificate)
}

async function adopt(
  pki: Pki, all: readonly Certificate[], own: Certificate, key: string,
): Promise<OpenAuthority> {
  const { keys, clock } = pki.ports
  if (own.extensions.ca === undefined || !own.extensions.keyUsage?.includes('keyCertSign')) {
    throw new InvalidArgument('The certificate is not that of an authority')
  }
  if (own.notAfter <= clock.now()) throw new InvalidArgument('The certificate of the authority has ended')
  const isRoot = sameBytes(own.issuer, own.subject)
  const above: Certificate[] = []
  for (let at = own; !sameBytes(at.issuer, at.subject) && above.length < all.length;) {
    const next = all.find((one) => sameBytes(one.subject, at.issuer))
    if (next === undefined) break
    if (!at.verify(keys.certificates.importSpki(next.spki))) {
      throw new InvalidArgument('A certificate of the bundle is not signed by the one above it')
    }
    above.push(next)
    at = next
  }
  if (isRoot && !own.verify(keys.certificates.importSpki(own.spki))) {
    throw new InvalidArgument('The certificate of the authority is not signed by its own key')
  }
  const id = authorityIdOf(pki.ports, own.spki)
  return add(pki, {
    id, kind: isRoot ? 'root' : 'intermediate', state: 'active', key, certificate: toText(own.raw),
    signedBy: isRoot ? id : above[0] === undefined ? '' : authorityIdOf(pki.ports, above[0].spki),
    crossSigned: [], above: above.map(({ raw }) => toText(raw)), overEnd: 'err',
  }, true)
}
