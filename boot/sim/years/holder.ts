import { signProof, signStatement } from '../../../actors/join-protocol.ts'
import { pkiKey, PublishedList, PublishedRoots } from '../../../actors/cert-manager/published.ts'
import { readRecord } from '../../../actors/records.ts'
import { renewalOf } from '../../../actors/vault/listener/certificate.ts'
import { readRootSet } from '../../../actors/root-set.ts'
import type { IssuedCertificate } from '../../../actors/vault/protocol.ts'
import { Unavailable, ZonewrightError } from '../../../runtime/errors.ts'
import { limits } from '../../../runtime/limits.ts'
import type { PublicJwk, SigningKey } from '../../../runtime/platform/ports.ts'
import type { SimulatedProcess, World } from '../../../runtime/sim/simulate.ts'
import { fraction } from '../../../runtime/restart.ts'
import { pause } from '../../../runtime/within.ts'
import type { Certificate } from '../../../runtime/x509/certificate.ts'
import type { RevocationList } from '../../../runtime/x509/crl.ts'
import { signRequest } from '../../../runtime/x509/csr.ts'
import { encodeName } from '../../../runtime/x509/name.ts'
import { encodePem } from '../../../runtime/x509/pem.ts'
import type { ControlPlane, Serving } from './control-plane.ts'
import type { Parsed } from './parsed.ts'
import { enter, OOD, ZONE } from './start.ts'

/** What a host shows who it is by. */
export interface Shown {
  readonly serial: string
  readonly leaf: Certificate
  readonly chain: readonly Certificate[]
  /** Epoch milliseconds, by the clock of the host. */
  readonly renewAt: number
}

/** By what a host judges others. */
export interface Knowledge {
  readonly roots: readonly Certificate[]
  /** Epoch milliseconds: until when the root set is to be believed. */
  readonly rootsUntil: number
  readonly lists: readonly RevocationList[]
}

export interface HolderOptions {
  readonly world: World
  readonly plane: ControlPlane
  readonly parsed: Parsed
  readonly host: string
  /** What it shows, or what it knows, is another now, or has been looked at again. */
  readonly onChange: (holder: Holder) => void
  /** A certificate came, with the role that it is by. */
  readonly onIssued: (holder: Holder, issued: IssuedCertificate) => void
  readonly broken: (invariant: string, detail: string) => void
}

/** Milliseconds between two looks for what is published; after one that failed. */
export const FETCH_MS = 3 * 3_600_000
const AGAIN_MS = 60_000
/** Whom the device key proves itself to; there is no TLS here. */
const SERVER = 'server'
const STATE = 'state.json'

interface State {
  readonly device: string
  /** Of a node: what it renews by. */
  readonly issued?: IssuedCertificate
  readonly anchor?: PublicJwk
}

/** A host that has a certificate, renews it as hosts do, and follows what the zone publishes. */
export class Holder {
  readonly host: string
  main: SimulatedProcess | undefined
  shown: Shown | undefined
  known: Knowledge | undefined
  renewals = 0
  readonly #options: HolderOptions
  #state: State | undefined
  #version = 0
  #fetchAt = 0
  #wake = new AbortController()
  /** The next join is one anew. */
  #revoked = false

  constructor(options: HolderOptions) {
    this.#options = options
    this.host = options.host
  }

  get alive(): boolean {
    return this.main?.alive ?? false
  }

  /** Milliseconds by its own clock. */
  get now(): number {
    return this.main!.platform.clock.now()
  }

  start(): void {
    const main = this.main = this.#options.world.startProcess(this.host)
    this.#fetchAt = 0
    this.#live(main).catch((error: unknown) => {
      if (main.alive) this.#options.world.fail(error as Error)
    })
  }

  /** Loses its power; what it has on its disk is there when it starts again. */
  powerOff(): void {
    this.main?.kill()
    this.shown = undefined
    this.known = undefined
  }

  /** Somebody said that its key is not its own any more: it joins anew with another one. */
  startAnew(): void {
    this.#revoked = true
    this.#wake.abort()
  }

  /** Looks at what is published now. */
  fetchSoon(): void {
    this.#fetchAt = 0
    this.#wake.abort()
  }

  /** Its clock was far off, and is set: what it took meanwhile is looked at anew. */
  clockSet(): void {
    const { shown } = this
    if (shown && this.alive) {
      const renewAt = Math.min(shown.renewAt, renewalOf(this.now, shown.leaf.notAfter, 0))
      this.shown = { ...shown, renewAt }
    }
    this.fetchSoon()
  }

  async #live(main: SimulatedProcess): Promise<void> {
    const { platform } = main
    const files = await platform.host.openFolder(`/${this.host}`)
    const bytes = await files.read(STATE)
    const random = platform.random.fork('holder')
    this.#state = bytes ? JSON.parse(new TextDecoder().decode(bytes)) as State
      : { device: platform.keys.generate(random).exportPem() }
    const keep = async (state: State): Promise<void> => {
      await files.write(STATE, new TextEncoder().encode(JSON.stringify(state)), { mode: 0o600 })
      this.#state = state
    }
    const { issued } = this.#state
    // One that ended while it was off is shown to nobody
    if (issued && issued.notAfter > this.now) this.#show(issued, fraction(random))
    for (let failures = 0; ;) {
      this.#wake = new AbortController()
      try {
        if (this.#revoked) {
          await keep({ device: platform.keys.generate(random).exportPem() })
          this.shown = undefined
          this.#revoked = false
        }
        if (this.#fetchAt <= this.now) await this.#fetch(main, keep)
        if (!this.shown || this.shown.renewAt <= this.now) await this.#renew(main, keep)
        failures = 0
      } catch (error) {
        if (!(error instanceof ZonewrightError)) throw error
        if (!(error instanceof Unavailable)) this.#refused(error)
        failures++
      }
      this.#options.onChange(this)
      const due = Math.min(this.#fetchAt, this.shown?.renewAt ?? 0) - this.now
      const waitMs = failures > 0 ? AGAIN_MS * (0.5 + fraction(random)) : Math.max(1_000, due)
      await pause(platform.clock, waitMs, this.#wake.signal)
      await enter(main)
    }
  }

  /** Each refusal has a reason that somebody expects. */
  #refused(error: ZonewrightError): void {
    const reason = String(error.details['reason'] ?? '')
    if (error.code === 'JoinRefused' && reason === 'revoked') this.#revoked = true
    else this.#options.broken('holder-served', `${this.host}: ${error.code} ${reason}: ${error.message}`)
  }

  /** The set of roots that the anchor has signed, and the list of each authority. */
  async #fetch(main: SimulatedProcess, keep: (state: State) => Promise<void>): Promise<void> {
    const { plane, parsed, broken } = this.#options
    const { keys, clock } = main.platform
    const from = { host: this.host, main }
    const state = this.#state!
    if (!state.anchor) {
      const [first] = await plane.call(from, ({ as }) => as('enrolment').keyVersions({ name: 'anchor' }))
      await keep({ ...state, anchor: first!.publicKey })
    }
    const found = await plane.call(from, (serving) => publishedBy(serving))
    if (!found.roots) throw new Unavailable('Nothing is published yet')
    const now = clock.now()
    const { version, document } = readRecord(PublishedRoots, pkiKey.roots, found.roots)
    const anchor = this.#state!.anchor!
    const verdict = readRootSet(keys, document, { zone: ZONE, anchor, now, versionMin: this.#version })
    if (!verdict.accepted) return broken('root-set', `${this.host} does not take version ${version}: ${verdict.why}`)
    this.#version = verdict.set.version
    const lists = found.lists.map((text) => readRecord(PublishedList, pkiKey.lists, text))
    for (const { nextUpdate, number } of lists) {
      const late = found.at - nextUpdate
      if (late >= 0) broken('list-fresh', `list ${number} that is published ended ${late} ms ago`)
    }
    const fresh = lists.map(({ pem }) => parsed.list(pem))
    // One that begins later than now by this clock is good in a moment; until then the one before it is
    const before = this.known?.lists.filter((list) => list.nextUpdate > now && !fresh.includes(list)
      && fresh.some((next) => parsed.follows(next, list) && next.thisUpdate > now)) ?? []
    const next: Knowledge = {
      roots: verdict.set.roots.map((pem) => parsed.certificate(pem)), rootsUntil: verdict.set.notAfter * 1_000,
      lists: [...fresh, ...before],
    }
    if (!this.known || !sameKnowledge(this.known, next)) this.known = next
    this.#fetchAt = now + FETCH_MS
  }

  async #renew(main: SimulatedProcess, keep: (state: State) => Promise<void>): Promise<void> {
    const { keys, random } = main.platform
    const key = await keys.certificates.generate(keys.certificates.preferred, random)
    const subject = encodeName([{ type: 'CN', value: this.host }])
    const csr = encodePem('CERTIFICATE REQUEST', signRequest({ subject }, key))
    const issued = await (this.host === OOD ? this.#signOwn(main, csr) : this.#enrol(main, csr))
    await keep({ ...this.#state!, issued })
    this.renewals++
    this.#show(issued, fraction(random))
    this.#options.onIssued(this, issued)
  }

  /** As the listener of a control plane asks for its own: dated back as far as clocks may be apart. */
  #signOwn(main: SimulatedProcess, csr: string): Promise<IssuedCertificate> {
    return this.#options.plane.call({ host: this.host, main }, ({ as }) => as('enrolment').signCertificate({
      mount: 'pki', role: 'ood', csr, commonName: this.host, dns: [this.host], skewMs: limits.joinSkewMs,
    }))
  }

  /** By its join token the first time, then by the device key. */
  #enrol(main: SimulatedProcess, csr: string): Promise<IssuedCertificate> {
    const { keys } = main.platform
    const { device: pem, issued } = this.#state!
    const device = keys.importPem(pem)
    const sentAt = this.now
    const asked = (token: string) => ({
      host: this.host, csr, server: SERVER, device: this.#statement(device, sentAt),
      proof: signProof(keys, device, { token, csr, server: SERVER }),
    })
    return this.#options.plane.call({ host: this.host, main }, async ({ as, clock }) => {
      const vault = as('enrolment')
      const skewMs = clock.now() - sentAt
      // One that has ended may not be shown
      if (issued && issued.notAfter > clock.now()) {
        return vault.renewEnrolment({ ...asked(issued.serial), serial: issued.serial, skewMs })
      }
      const { token } = await vault.createJoinToken({ host: this.host, role: 'node', by: 'owner' })
      return vault.enrol({ ...asked(token), token, skewMs })
    })
  }

  #statement(device: SigningKey, at: number): string {
    const iat = Math.floor(at / 1_000)
    return signStatement(device, { zone: ZONE, name: this.host, role: 'node', key: device.public.jwk, iat })
  }

  #show({ serial, certificate, chain, notAfter }: IssuedCertificate, share: number): void {
    const { parsed } = this.#options
    this.shown = {
      serial, leaf: parsed.certificate(certificate), chain: chain.map((pem) => parsed.certificate(pem)),
      renewAt: renewalOf(this.now, notAfter, share),
    }
  }
}

async function publishedBy({ records, clock }: Serving) {
  const roots = await records.get({ key: pkiKey.roots })
  const { items } = await records.dump({ prefixes: [pkiKey.lists] })
  return { at: clock.now(), roots: roots?.value, lists: items.map(({ value }) => value) }
}

const sameKnowledge = (one: Knowledge, other: Knowledge): boolean => one.rootsUntil === other.rootsUntil
  && one.roots.length === other.roots.length && one.roots.every((root, index) => root === other.roots[index])
  && one.lists.length === other.lists.length && one.lists.every((list, index) => list === other.lists[index])
