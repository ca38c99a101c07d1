import { safeParse } from 'valibot'
import { InvalidArgument, Overloaded, Unavailable } from '../../runtime/errors.ts'
import { literal, object, record, string, type Client, type Infer } from '../../runtime/protocol.ts'
import { createMemoryStore } from '../../runtime/store/memory.ts'
import type { Store } from '../../runtime/store/store.ts'
import { fromBase64url, toBase64url } from '../../runtime/trust/base64url.ts'
import { parseCertificate, type Certificate } from '../../runtime/x509/certificate.ts'
import { decodePem } from '../../runtime/x509/pem.ts'
import { barrierView, createBarrier } from './barrier.ts'
import type { EnginePorts } from './engine.ts'
import { keyringPath, termsOf } from './keyring.ts'
import { authoritiesPath, toText, type OpenAuthority } from './pki/authority-record.ts'
import { encodeRecord } from './pki/certificate-record.ts'
import { certificatePath } from './pki/certificates.ts'
import { answerOf } from './pki/handlers.ts'
import { authorityLifeMs } from './pki/rotation.ts'
import { signAuthority } from './pki/make-authority.ts'
import { createPki, type Pki } from './pki/pki.ts'
import { serialKey } from './pki/serials.ts'
import type { IssuedCertificate, Unrecorded, Vault } from './protocol.ts'
import { sealConfigPath } from './seal-config.ts'
import { autoUnsealPath, unseal, type UnsealSecrets } from './unseal.ts'

/**
 * The few entries of the vault's store that its authority for etcd needs, encrypted as they lie there. A file of them
 * opens as the vault does, by the unseal key or the recovery shares, where etcd and with it the vault is out of reach.
 */
const Extract = object({ format: literal(1), mount: string(), entries: record(string(), string()) })

/** Always the same text while nothing of it has changed. @throws Unavailable when a change of the seal is under way */
export async function sealedExtract(store: Store, mount: string): Promise<string> {
  // Its record first: a keyring that is read later opens it
  const authority = await store.get(`${mount}/${authoritiesPath}`)
  const { entries } = await store.list('core/')
  const core = [sealConfigPath, autoUnsealPath, keyringPath].map((path) => entries.find(({ key }) => key === path))
  if (!authority || core.some((entry) => entry === undefined)) {
    throw new Unavailable(`The vault has no authority to seal, or not yet: ${mount}`)
  }
  const extract: Infer<typeof Extract> = {
    format: 1, mount,
    entries: Object.fromEntries([...core, authority].map((entry) => [entry!.key, toBase64url(entry!.value)])),
  }
  return `${JSON.stringify(extract, null, 2)}\n`
}

/** An authority that was opened away from the vault. */
export interface Opened {
  readonly pki: Pki
  /** The extract as it is now. */
  sealed(): Promise<string>
  /** As the vault's link has it, for who asks with a signing request. */
  sign(asked: SignRequest): Promise<IssuedCertificate>
}

export type SignRequest = Parameters<Client<typeof Vault>['signCertificate']>[0]

/**
 * Opens it in memory: the vault's own code, its roles and its profiles, and nothing that outlives the call.
 * @throws InvalidArgument when it is no such file, VaultSealed when no key fits, VaultDamaged
 */
export async function openExtract(
  text: string, secrets: UnsealSecrets, { zone, ...ports }: Omit<EnginePorts, 'barrier'> & { readonly zone: string },
): Promise<Opened> {
  const parsed = safeParse(Extract, jsonOf(text))
  if (!parsed.success) throw new InvalidArgument('It is not a sealed authority of a vault')
  const { mount, entries } = parsed.output
  const { keys, random, clock } = ports
  const store = createMemoryStore({ clock, random })
  for (const [key, value] of Object.entries(entries)) {
    const bytes = fromBase64url(value)
    if (!bytes) throw new InvalidArgument(`It is not a sealed authority of a vault: ${key} is not base64url`)
    await store.put(key, bytes)
  }
  const { keyring } = await unseal({ keys, random, store }, secrets)
  const barrier = createBarrier({ store, random, terms: termsOf(keyring, keys) })
  const pki = createPki({ mount, zone, ports: { barrier: barrierView(barrier, `${mount}/`), keys, random, clock } })
  return {
    pki,
    sealed: () => sealedExtract(store, mount),
    async sign({ role, csr, commonName, dns = [], ip = [], ttl }) {
      const names = [
        ...dns.map((value) => ({ type: 'dns', value }) as const),
        ...ip.map((value) => ({ type: 'ip', value }) as const),
      ]
      const issued = await pki.issuing.sign(csr, await pki.roles.read(role), { commonName, names, ttl }, { holder: '' })
      return answerOf(issued)
    },
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/**
 * The authority that signs, with a certificate that lasts: one that ends within `leastMs` gets another for the same
 * key and name, which those that trust the old one accept as soon as they are given it.
 */
export async function lastingAuthority({ authorities, ports }: Pki, leastMs: number): Promise<{
  readonly roots: readonly string[]
  /** PEM of the certificate that it got now. */
  readonly renewed: string | undefined
}> {
  const { clock } = ports
  const { signer, roots } = await authorities.fresh()
  if (!signer?.key) throw new InvalidArgument('The sealed authority has no key that signs')
  const now = clock.now()
  if (signer.certificate.notAfter >= now + leastMs) return { roots, renewed: undefined }
  const { certificate: { subject, spki }, key } = signer
  const der = signAuthority(ports, { subject, spki, notAfter: now + authorityLifeMs.root }, { key })
  const book = await authorities.change((present) => ({
    authorities: present.authorities.map(({ id, stored }) =>
      (id === signer.id ? { ...stored, certificate: toText(der) } : stored)),
  }))
  return { roots: book.roots, renewed: book.signer?.pem }
}

/**
 * Takes them into the inventory, so that they are listed, warned of and can be revoked. Only what an authority of the
 * mount has signed; a second time nothing happens.
 * @throws InvalidArgument, Overloaded
 */
export async function takeOver(
  pki: Pki, given: readonly Unrecorded[], holder: string,
): Promise<{ recorded: number; known: number }> {
  const { authorities, ports } = pki
  const all = (await authorities.fresh()).authorities
  const fresh = new Map<string, Uint8Array>()
  let renewed = 0
  for (const { role, pem } of given) {
    const der = decodePem(pem, 'CERTIFICATE')
    const certificate = parseCertificate(der)
    const signer = all.find(({ certificate: { spki } }) =>
      certificate.verify(ports.keys.certificates.importSpki(spki)))
    if (!signer) throw new InvalidArgument('A certificate is by no authority of this vault')
    if (certificate.extensions.ca) {
      if (await renewAuthority(pki, signer, certificate, der)) renewed++
      continue
    }
    await pki.roles.read(role)
    const key = serialKey(certificate.serial)
    if (await pki.certificates.find(key)) continue
    const { notAfter } = certificate
    fresh.set(certificatePath(key), encodeRecord({ role, holder, authority: signer.idBytes, notAfter, der }))
  }
  const paths = [...fresh.keys()]
  const written = fresh.size === 0 || await ports.barrier.commit(
    paths.map((key) => ({ key, modRevision: 0 })), paths.map((path) => ({ path, value: fresh.get(path) })))
  if (!written) throw new Overloaded('Others record certificates at the same time; do it again')
  const recorded = fresh.size + renewed
  return { recorded, known: given.length - recorded }
}

/** The certificate of one that is there, for the same key and name, when it lasts longer than the one it has. */
async function renewAuthority(
  { authorities }: Pki, of: OpenAuthority, { subject, notAfter }: Certificate, der: Uint8Array,
): Promise<boolean> {
  const sameName = toBase64url(subject) === toBase64url(of.certificate.subject)
  const isOwn = sameName && toBase64url(parseCertificate(der).spki) === toBase64url(of.certificate.spki)
  if (!isOwn) throw new InvalidArgument('A certificate is of an authority that is not of this vault')
  if (notAfter <= of.certificate.notAfter) return false
  await authorities.change((present) => ({
    authorities: present.authorities.map(({ id, stored }) =>
      (id === of.id ? { ...stored, certificate: toText(der) } : stored)),
  }))
  return true
}
