import { mounts } from '../../../actors/cert-manager/inventory.ts'
import type { Authority } from '../../../actors/cert-manager/due.ts'
import type { IssuedCertificate } from '../../../actors/vault/protocol.ts'
import { ZonewrightError } from '../../../runtime/errors.ts'
import { limits } from '../../../runtime/limits.ts'
import type { World } from '../../../runtime/sim/simulate.ts'
import type { Certificate } from '../../../runtime/x509/certificate.ts'
import { sameBytes } from '../../../runtime/x509/der.ts'
import { verifyChain } from '../../../runtime/x509/verify-chain.ts'
import type { Serving } from './control-plane.ts'
import { FETCH_MS, type Holder, type Knowledge, type Shown } from './holder.ts'
import type { Parsed } from './parsed.ts'

const DAY = 86_400_000
/** Milliseconds for which the control plane may be away. */
export const AWAY_MS_MAX = 90 * 60_000
/** Milliseconds after which a revocation that was answered is known to every host that runs. */
export const REVOKED_MS = FETCH_MS + AWAY_MS_MAX + 10 * 60_000
/** Milliseconds by which an authority may be followed later than at half of its life and after everybody has heard. */
const LATE_MS = 2 * DAY
/** Certificates of a host within the time that they are kept: it renews its own at half of a day at the earliest. */
const KEPT_OF_HOST = (2 * (limits.certificateKeepMs + 3 * DAY)) / DAY
/** And beside these: what is joined anew, and what lives longer. */
const KEPT_BESIDE = 40

interface Pair {
  readonly known: Knowledge
  readonly shown: Shown
  /** Epoch milliseconds by the clock of who judges: when it was judged. */
  readonly at: number
  /** Epoch milliseconds by the clock of who judges: until when nothing that it goes by ends. */
  readonly until: number
  /** It waits for a list of an authority that it has never seen, since then. */
  readonly waitsSince?: number
}

interface Revoked {
  readonly shown: Shown
  /** True milliseconds; undefined while whether it was done is not known. */
  at: number | undefined
}

export interface PromisesOptions {
  readonly world: World
  readonly parsed: Parsed
  readonly holders: readonly Holder[]
  readonly broken: (invariant: string, detail: string) => void
  /** How the authorities of `pki` stand. */
  readonly onSurvey: (state: string) => void
}

/** What holds at every moment of the years; looked at whenever what somebody shows or knows has changed. */
export class Promises {
  readonly counts = { judged: 0, waited: 0, revoked: 0, refused: 0, issued: 0, surveyed: 0 }
  /** Hosts whose clock is so far off that nobody expects them to get on with others. */
  readonly aside = new Set<string>()
  readonly #options: PromisesOptions
  readonly #pairs = new Map<string, Pair>()
  readonly #revoked: Revoked[] = []
  readonly #serials = new Set<string>()
  /** By serial: until when, and since when, it has to be in the inventory. */
  readonly #issued = new Map<string, { readonly at: number; readonly notAfter: number }>()

  constructor(options: PromisesOptions) {
    this.#options = options
  }

  get #trueMs(): number {
    return this.#options.world.nowUs / 1_000
  }

  issued(holder: Holder, { serial, notAfter, certificate, chain }: IssuedCertificate): void {
    const { parsed, broken } = this.#options
    this.counts.issued++
    if (this.#serials.has(serial)) broken('serial-once', `${holder.host} was given ${serial}, which another one has`)
    this.#serials.add(serial)
    this.#issued.set(serial, { at: holder.now, notAfter })
    const signer = chain[0] === undefined ? undefined : parsed.certificate(chain[0])
    const leaf = parsed.certificate(certificate)
    if (!signer || !sameBytes(signer.subject, leaf.issuer)) {
      return broken('authority-in-time', `${serial} came without its signer`)
    }
    if (signer.notAfter <= holder.now || signer.notAfter < notAfter) {
      const left = signer.notAfter - holder.now
      broken('authority-in-time', `${serial} was signed by an authority that ends in ${left} ms`)
    }
  }

  /** It will be said to be revoked, and what is shown may not be good any more from now on. */
  revoking(shown: Shown): { done(): void } {
    const entry: Revoked = { shown, at: undefined }
    this.#revoked.push(entry)
    return {
      done: () => {
        entry.at = this.#trueMs
        this.counts.revoked++
      },
    }
  }

  /** What somebody shows or knows was looked at, or is another: each pair with it has to be good, and to have been. */
  changed(holder: Holder): void {
    const { holders } = this.#options
    for (const other of holders) {
      if (other === holder) continue
      this.#judge(holder, other)
      this.#judge(other, holder)
    }
    this.#refuses(holder)
  }

  /** What it was does not matter any more: it was away, or its clock was. */
  forget(holder: Holder): void {
    for (const { host } of this.#options.holders) {
      this.#pairs.delete(`${holder.host} ${host}`)
      this.#pairs.delete(`${host} ${holder.host}`)
    }
  }

  #judge(verifier: Holder, other: Holder): void {
    const { world, broken } = this.#options
    const key = `${verifier.host} ${other.host}`
    const { known } = verifier
    const { shown } = other
    const live = verifier.alive && other.alive && known && shown
      && !this.aside.has(verifier.host) && !this.aside.has(other.host)
    const before = this.#pairs.get(key)
    if (!live || this.#revoked.some((each) => each.shown.serial === shown.serial)) {
      this.#pairs.delete(key)
      return
    }
    const at = verifier.now
    this.counts.judged++
    const what = `${verifier.host} about ${other.host}, ${shown.serial} at ${at}`
    if (before && before.until < at) broken('pair-verifies', `${what}: not since ${at - before.until} ms ago`)
    // Of the same things the same is true until the first of them ends
    const isSame = before?.known === known && before.shown === shown && before.at <= at
    if (isSame && before.waitsSince === undefined) return
    const path = this.#path(known, shown, at)
    if (typeof path !== 'string') {
      this.#pairs.set(key, { known, shown, at, until: untilOf(known, path) })
      return
    }
    const reason = path
    if (reason !== 'revocation-unknown') return broken('pair-verifies', `${what}: ${reason}`)
    // By an authority that has begun to sign since it looked last: it looks now
    const waitsSince = before?.waitsSince ?? at
    if (before?.waitsSince === undefined) {
      this.counts.waited++
      world.clock.after(0, () => verifier.alive && verifier.fetchSoon())
    }
    if (at - waitsSince > AWAY_MS_MAX + 10 * 60_000) broken('pair-verifies', `${what}: ${reason}`)
    this.#pairs.set(key, { known, shown, at, until: Infinity, waitsSince })
  }

  /** The chain that is trusted, or why there is none. */
  #path(
    { roots, rootsUntil, lists }: Knowledge, { leaf, chain }: Shown, at: number,
  ): readonly Certificate[] | string {
    if (rootsUntil <= at) return 'the root set has ended'
    try {
      return verifyChain({
        leaf, intermediates: chain, roots, at, keys: this.#options.parsed.keys, purpose: 'clientAuth',
        revocationLists: lists,
      })
    } catch (error) {
      if (!(error instanceof ZonewrightError)) throw error
      return String(error.details['reason'])
    }
  }

  /** Long enough after a revocation nobody takes it any more, whatever became of its host. */
  #refuses(holder: Holder): void {
    const { known } = holder
    if (!known || !holder.alive || this.aside.has(holder.host)) return
    for (const [index, { shown, at }] of [...this.#revoked.entries()].reverse()) {
      if (shown.leaf.notAfter < holder.now) this.#revoked.splice(index, 1)
      else if (at !== undefined && this.#trueMs - at > REVOKED_MS) {
        this.counts.refused++
        if (typeof this.#path(known, shown, holder.now) !== 'string') {
          const { broken } = this.#options
          broken('revoked-refused', `${holder.host} takes ${shown.serial}, revoked ${this.#trueMs - at} ms ago`)
        }
      }
    }
  }

  /** All of the inventory, and every authority. */
  async survey({ as, clock }: Serving): Promise<void> {
    const { broken, holders, onSurvey } = this.#options
    const vault = as('cert-manager')
    this.counts.surveyed++
    const found = new Set<string>()
    for (let after: string | undefined; ;) {
      const page = await vault.certificates({ mount: 'pki', ...(after === undefined ? {} : { after }) })
      for (const { serial } of page.certificates) {
        if (found.has(serial)) broken('serial-once', `the inventory has ${serial} twice`)
        found.add(serial)
      }
      after = page.certificates.at(-1)?.serial
      if (!page.more || after === undefined) break
    }
    const now = clock.now()
    for (const [serial, { at, notAfter }] of this.#issued) {
      if (notAfter + limits.certificateKeepMs < now + 60_000) this.#issued.delete(serial)
      else if (!found.has(serial)) {
        broken('certificate-recorded', `${serial}, answered ${now - at} ms ago, is not in the inventory`)
      }
    }
    const most = holders.length * KEPT_OF_HOST + KEPT_BESIDE
    if (found.size > most) broken('inventory-bounded', `${found.size} certificates are kept; ${most} may be`)
    for (const mount of mounts) {
      const authorities = await vault.authorities({ mount })
      this.#inTime(mount, authorities, now)
      if (mount === 'pki') onSurvey(authorities.map(({ kind, state }) => `${kind} ${state}`).join(', '))
    }
  }

  #inTime(mount: string, authorities: readonly Authority[], now: number): void {
    const { broken } = this.#options
    for (const kind of new Set(authorities.map((each) => each.kind))) {
      const active = authorities.filter((each) => each.kind === kind && each.state === 'active')
      const newest = active.at(-1)
      if (!newest) return broken('authority-in-time', `${mount} has no active ${kind}`)
      const half = newest.notBefore + (newest.notAfter - newest.notBefore) / 2
      const late = now - half - limits.rootsHeardMs - LATE_MS
      if (late > 0) broken('authority-in-time', `${kind} of ${mount} was to be followed ${late} ms ago`)
    }
  }
}

/** The first end of all that the verdict goes by. */
function untilOf({ rootsUntil, lists }: Knowledge, path: readonly Certificate[]): number {
  const ends = path.slice(1).map(({ extensions: { subjectKeyId } }) => Math.max(...lists
    .filter(({ authorityKeyId }) => sameBytes(authorityKeyId, subjectKeyId!))
    .map(({ nextUpdate }) => nextUpdate)))
  return Math.min(rootsUntil, ...ends, ...path.map(({ notAfter }) => notAfter + 1_000))
}
