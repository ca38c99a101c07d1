import { InvalidArgument, LimitExceeded, type ZonewrightError } from '../../../runtime/errors.ts'
import { limits } from '../../../runtime/limits.ts'
import { encodeName } from '../../../runtime/x509/name.ts'
import type { EnginePorts } from '../engine.ts'
import { openAuthority, toText, type OpenAuthority, type StoredAuthority } from './authority-record.ts'
import type { Authorities, Book, Plan } from './book.ts'
import type { MountShape } from './built-in.ts'
import { makeAuthority, signAuthority } from './make-authority.ts'
import { crlPath, nextList, readList, type ListWrite } from './revocation-list.ts'
import { notInVault } from './refused.ts'

export type Step = 'prepare' | 'activate' | 'taint' | 'revoke'

const YEAR_MS = 365 * 86_400_000
export const authorityLifeMs = { root: 10 * YEAR_MS, intermediate: 2 * YEAR_MS } as const

/** How the authorities of a mount come and go. */
export interface RotationPorts {
  readonly mount: string
  readonly zone: string
  readonly ports: EnginePorts
  readonly authorities: Authorities
  readonly shape: MountShape
  readonly crlLifeMs: () => Promise<number>
  /** How many certificates by these authorities have not ended. */
  readonly unexpired: (authorities: readonly OpenAuthority[]) => Promise<number>
}

export interface Rotation {
  /** Makes the root, and the intermediate where there is to be one. A retry changes nothing. */
  ensure(): Promise<Book>
  /**
   * `id`: of the authority that is replaced by `prepare`, or that takes the step; without it the one whose turn it is.
   * Each step is one transaction, and again it changes nothing. Certificates that have not ended keep their authority
   * from being revoked, unless it is forced.
   * @throws InvalidArgument out of order (`details.next` is the step that is due), NotInVault, LimitExceeded
   */
  step(step: Step, id?: string, force?: boolean): Promise<Book>
}

type Kind = OpenAuthority['kind']

export function createRotation(given: RotationPorts): Rotation {
  const { authorities, ports } = given
  const plans: Readonly<Record<Step, (book: Book, id?: string, force?: boolean) => Promise<Plan | undefined>>> = {
    prepare: (book, id) => prepare(given, book, id),
    activate: (book, id) => activate(given, book, id),
    taint: async (book, id) => taint(given, book, id),
    revoke: (book, id, force) => revoke(given, book, id, force),
  }
  return {
    ensure: () => authorities.change(async (book) => {
      if (book.authorities.length > 0) return undefined
      const root = await newAuthority(given, 'root', 'active')
      const made = [root]
      if (given.shape.intermediate) {
        made.push(await newAuthority(given, 'intermediate', 'active', openAuthority(root, ports.keys.certificates)))
      }
      return withLists(given, made, made)
    }),
    step: (step, id, force) => authorities.change((book) => plans[step](book, id, force)),
  }
}

async function newAuthority(
  { ports, zone, shape }: RotationPorts, kind: Kind, state: 'next' | 'active', signer?: OpenAuthority,
): Promise<StoredAuthority> {
  return makeAuthority(ports, {
    kind, state, notAfter: ports.clock.now() + authorityLifeMs[kind],
    // Two with one name would be told apart by their keys alone, which not every verifier does
    subject: (id) => encodeName([{ type: 'CN', value: `${shape.commonName(zone, kind)} ${id.slice(0, 8)}` }]),
    ...(kind === 'intermediate' ? { pathLength: 0 } : {}),
  }, signer)
}

async function prepare(given: RotationPorts, book: Book, id: string | undefined): Promise<Plan | undefined> {
  const target = id === undefined ? book.signer : found(given, book, id)
  if (target === undefined) throw notInVault('authority to replace', given.mount)
  const { kind } = target
  const behind = book.authorities.slice(book.authorities.indexOf(target))
  if (behind.some((one) => one.kind === kind && (one.state === 'next' || (one !== target && one.state === 'active')))) {
    return undefined
  }
  const signer = kind === 'root' ? undefined : newest(book, 'root')
  const next = await newAuthority(given, kind, 'next', signer)
  return { authorities: withRoom([...book.authorities.map(({ stored }) => stored), next]) }
}

async function activate(given: RotationPorts, book: Book, id: string | undefined): Promise<Plan | undefined> {
  const waiting = book.authorities.filter(({ state }) => state === 'next')
  const target = id === undefined ? waiting[0] : found(given, book, id)
  if (target === undefined) throw outOfOrder('No authority waits to be activated', 'prepare')
  if (target.state !== 'next') return undefined
  const crossSigned = target.kind === 'root' ? crossSign(given, book, target) : []
  const active: StoredAuthority = { ...target.stored, state: 'active', crossSigned }
  const made = [active]
  if (target.kind === 'root' && given.shape.intermediate) {
    made.push(await newAuthority(given, 'intermediate', 'active', target))
  }
  const list = book.authorities.map(({ stored }) => (stored.id === target.id ? active : stored))
  return withLists(given, withRoom([...list, ...made.slice(1)]), made)
}

/** By the roots that everybody trusts already, so that nobody is cut off who has not heard of the new one. */
function crossSign(
  { ports }: RotationPorts, book: Book, { certificate }: OpenAuthority,
): StoredAuthority['crossSigned'] {
  const by = newest(book, 'root')
  if (by === undefined || by.certificate.notAfter <= ports.clock.now()) return []
  const { subject, spki, notAfter } = certificate
  return [{ certificate: toText(signAuthority(ports, { subject, spki, notAfter }, by)), signedBy: by.id }]
}

function taint(given: RotationPorts, book: Book, id: string | undefined): Plan | undefined {
  const target = id === undefined ? replaced(book) : found(given, book, id)
  if (target === undefined) throw outOfOrder('No active authority has been replaced by another', nextFor(book))
  if (target.state === 'next') throw outOfOrder(`The authority does not sign yet: ${target.id}`, 'activate')
  if (target.state !== 'active') return undefined
  if (newest(book, target.kind) === target) {
    throw outOfOrder(`There is no other authority that would sign: ${target.id}`, nextFor(book, target.kind))
  }
  return { authorities: changed(book, under(book, target), { state: 'tainted' }) }
}

async function revoke(
  given: RotationPorts, book: Book, id: string | undefined, force = false,
): Promise<Plan | undefined> {
  const target = id === undefined ? book.authorities.find(({ state }) => state === 'tainted') : found(given, book, id)
  if (target === undefined) throw outOfOrder('No authority is tainted', replaced(book) ? 'taint' : nextFor(book))
  if (target.state === 'revoked') return undefined
  if (target.state !== 'tainted') {
    const next = target.state === 'next' ? 'activate' : 'taint'
    throw outOfOrder(`The authority is not tainted: ${target.id} is ${target.state}`, next)
  }
  const gone = under(book, target)
  const left = force ? 0 : await given.unexpired(gone)
  if (left > 0) {
    throw new InvalidArgument(
      `Certificates by this authority have not ended; renew them, wait, or say force: ${left}`, { left })
  }
  const ids = new Set(gone.map((one) => one.id))
  const authorities = changed(book, gone, { state: 'revoked', key: null, crossSigned: [] }).map((one) =>
    ({ ...one, crossSigned: one.crossSigned.filter(({ signedBy }) => !ids.has(signedBy)) }))
  const written = await listedAbove(given, book, target)
  return {
    authorities,
    guards: written.map(({ guard }) => guard),
    changes: [...written.map(({ change }) => change),
      ...gone.map((one) => ({ path: crlPath(one.id), value: undefined }))],
  }
}

/** An intermediate is on the list of its root, where that can still sign one. */
async function listedAbove({ ports, crlLifeMs }: RotationPorts, book: Book, one: OpenAuthority): Promise<ListWrite[]> {
  const above = book.authorities.find(({ id }) => id === one.stored.signedBy)
  if (above === undefined || above === one || above.key === undefined || above.state === 'next') return []
  const last = await readList(ports.barrier, above.id)
  const now = ports.clock.now()
  const entry = { serial: one.certificate.serial, at: now, reason: 'cessationOfOperation' } as const
  return [nextList(above, last, [...last?.revoked ?? [], entry], { now, lifeMs: await crlLifeMs() })]
}

/** With a first revocation list of each that was made. */
async function withLists(
  { ports, crlLifeMs }: RotationPorts, authorities: readonly StoredAuthority[], made: readonly StoredAuthority[],
): Promise<Plan> {
  const how = { now: ports.clock.now(), lifeMs: await crlLifeMs() }
  const lists = made.map((stored) => nextList(openAuthority(stored, ports.keys.certificates), undefined, [], how))
  return { authorities, guards: lists.map(({ guard }) => guard), changes: lists.map(({ change }) => change) }
}

/** With it go the intermediates that it has signed. */
const under = (book: Book, target: OpenAuthority): readonly OpenAuthority[] => book.authorities.filter((one) =>
  one === target || (target.kind === 'root' && one.stored.signedBy === target.id && one.state !== 'revoked'))

const changed = (
  book: Book, which: readonly OpenAuthority[], changes: Partial<StoredAuthority>,
): readonly StoredAuthority[] =>
  book.authorities.map((one) => (which.includes(one) ? { ...one.stored, ...changes } : one.stored))

const newest = (book: Book, kind: Kind): OpenAuthority | undefined =>
  book.authorities.findLast((one) => one.kind === kind && one.state === 'active')

/** The oldest that is active though a newer one of its kind is. */
const replaced = (book: Book): OpenAuthority | undefined =>
  book.authorities.find((one) => one.state === 'active' && newest(book, one.kind) !== one)

const nextFor = (book: Book, kind?: Kind): Step =>
  (book.authorities.some((one) => one.state === 'next' && one.kind === (kind ?? one.kind)) ? 'activate' : 'prepare')

function found({ mount }: RotationPorts, book: Book, id: string): OpenAuthority {
  const authority = book.authorities.find((one) => one.id === id)
  if (authority === undefined) throw notInVault('authority', `${mount}: ${id}`)
  return authority
}

const outOfOrder = (why: string, next: Step): ZonewrightError =>
  new InvalidArgument(`${why}; the next step is: ${next}`, { next })

/** Without the oldest of those that are revoked, when there are too many. @throws LimitExceeded */
export function withRoom(authorities: readonly StoredAuthority[]): readonly StoredAuthority[] {
  const over = authorities.length - limits.vaultAuthorities
  if (over <= 0) return authorities
  const forgotten = authorities.filter(({ state }) => state === 'revoked').slice(0, over)
  if (forgotten.length < over) throw new LimitExceeded(`A mount has at most ${limits.vaultAuthorities} authorities`)
  return authorities.filter((one) => !forgotten.includes(one))
}
