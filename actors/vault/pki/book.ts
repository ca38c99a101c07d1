import { Overloaded } from '../../../runtime/errors.ts'
import { limits } from '../../../runtime/limits.ts'
import type { Barrier, Change } from '../barrier.ts'
import type { Compare } from '../../../runtime/store/store.ts'
import type { Keys } from '../../../runtime/platform/ports.ts'
import { parseCertificate } from '../../../runtime/x509/certificate.ts'
import {
  authoritiesPath, certificatePem, openAuthority, StoredAuthorities, toDer, type OpenAuthority, type StoredAuthority,
} from './authority-record.ts'

/** The authorities of a mount at one revision. */
export interface Book {
  /** Newest last. */
  readonly authorities: readonly OpenAuthority[]
  readonly revision: number
  /** Who signs: the newest active intermediate, or the newest active root of a mount without. */
  readonly signer: OpenAuthority | undefined
  /** What is sent with a certificate of the signer: PEM, nearest first, without a root. */
  readonly chain: readonly string[]
  /** From the signer to its own root, that root included. */
  readonly upToRoot: readonly string[]
  /** PEM of what a certificate may end at now. */
  readonly roots: readonly string[]
}

/** What is to be written together with the authorities. */
export interface Plan {
  readonly authorities: readonly StoredAuthority[]
  readonly guards?: readonly Compare[]
  readonly changes?: readonly Change[]
}

export interface Authorities {
  /** As last seen: who writes by it compares its revision. */
  seen(): Promise<Book>
  /** As they are now. */
  fresh(): Promise<Book>
  /** Writes what `plan` makes of the present, or nothing when it makes nothing. @throws Overloaded */
  change(plan: (book: Book) => Promise<Plan | undefined> | Plan | undefined): Promise<Book>
  /** Holds while nothing has changed since the book was read. */
  guard(book: Book): Compare
}

export function openAuthorities({ barrier, keys }: { barrier: Barrier; keys: Keys }): Authorities {
  let known: Book | undefined
  const fresh = async (): Promise<Book> => {
    const found = await barrier.read(authoritiesPath, StoredAuthorities)
    const revision = found?.revision ?? 0
    if (known?.revision !== revision) {
      const opened = (found?.value.authorities ?? []).map((stored) => openAuthority(stored, keys.certificates))
      known = bookOf(opened, revision)
    }
    return known
  }
  const guard = ({ revision }: Book): Compare => ({ key: authoritiesPath, modRevision: revision })
  return {
    seen: async () => known ?? fresh(),
    fresh,
    guard,
    async change(plan) {
      for (let attempt = 0; attempt < limits.vaultTransactionAttempts; attempt++) {
        const book = await fresh()
        const planned = await plan(book)
        if (planned === undefined) return book
        const { authorities, guards = [], changes = [] } = planned
        const value = { format: 1, authorities }
        const written = await barrier.commit([guard(book), ...guards], [{ path: authoritiesPath, value }, ...changes])
        if (written) return fresh()
      }
      throw new Overloaded(`Too many writers of one mount; attempts: ${limits.vaultTransactionAttempts}`)
    },
  }
}

function bookOf(authorities: readonly OpenAuthority[], revision: number): Book {
  const signer = signerOf(authorities)
  return {
    authorities, revision, signer,
    chain: signer === undefined ? [] : chainOf(signer, authorities),
    upToRoot: signer === undefined ? [] : upToRoot(signer, authorities),
    roots: rootsOf(authorities).map(({ pem }) => pem).concat(foreignRoots(authorities)),
  }
}

const signerOf = (authorities: readonly OpenAuthority[]): OpenAuthority | undefined => {
  const active = authorities.filter(({ state }) => state === 'active')
  return active.findLast(({ kind }) => kind === 'intermediate') ?? active.at(-1)
}

/** Roots that are trusted now; those that sign only later are told to everybody before. */
export const rootsOf = (authorities: readonly OpenAuthority[]): readonly OpenAuthority[] =>
  authorities.filter(({ kind, state }) => kind === 'root' && state !== 'revoked')

const isSelfIssued = (der: string): boolean => {
  const { issuer, subject } = parseCertificate(toDer(der))
  return issuer.length === subject.length && issuer.every((byte, index) => byte === subject[index])
}

const foreignRoots = (authorities: readonly OpenAuthority[]): readonly string[] => authorities
  .filter(({ state }) => state !== 'revoked')
  .flatMap(({ stored: { above } }) => above.filter(isSelfIssued).map((der) => certificatePem(toDer(der))))

const upToRoot = (signer: OpenAuthority, authorities: readonly OpenAuthority[]): readonly string[] => [
  signer.pem,
  ...signer.stored.above.map((der) => certificatePem(toDer(der))),
  ...authorities.filter(({ id }) => id !== signer.id && id === signer.stored.signedBy).map(({ pem }) => pem),
]

export function chainOf(signer: OpenAuthority, authorities: readonly OpenAuthority[]): readonly string[] {
  const crossed = ({ stored: { crossSigned } }: OpenAuthority): readonly string[] =>
    crossSigned.map(({ certificate }) => certificatePem(toDer(certificate)))
  if (signer.kind === 'root') return crossed(signer)
  const { above, signedBy } = signer.stored
  const root = authorities.find(({ id }) => id === signedBy)
  return [
    signer.pem,
    ...above.filter((der) => !isSelfIssued(der)).map((der) => certificatePem(toDer(der))),
    ...(root === undefined ? [] : crossed(root)),
  ]
}
