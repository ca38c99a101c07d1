import { LimitExceeded, Overloaded } from '../../runtime/errors.ts'
import { mayCrash } from '../../runtime/fault-points.ts'
import { limits } from '../../runtime/limits.ts'
import type { Aead } from '../../runtime/platform/ports.ts'
import type { VaultPorts } from './init.ts'
import { keyringPath, termsOf, unwrapKeyring, withNextTerm, wrapKeyring, type Keyring, type Terms } from './keyring.ts'
import { VaultSealed } from './protocol.ts'
import { damaged } from './record.ts'
import { readSeal, type OpenedKeyring } from './unseal.ts'

/** The keys of the barrier while the vault is open; the store may have newer ones than these. */
export class LiveTerms implements Terms {
  readonly #ports: VaultPorts
  readonly #reopen: () => Promise<OpenedKeyring>
  #open: { readonly opened: OpenedKeyring; readonly terms: Terms } | undefined
  #refreshing: Promise<void> | undefined

  /** `reopen` is for when another vault on this store has changed the root key. @throws VaultDamaged */
  constructor(ports: VaultPorts, opened: OpenedKeyring, reopen: () => Promise<OpenedKeyring>) {
    this.#ports = ports
    this.#reopen = reopen
    this.#open = { opened, terms: termsOf(opened.keyring, ports.keys) }
  }

  /** @throws VaultSealed once closed */
  get current(): Terms['current'] {
    return this.#assertOpen().terms.current
  }

  /** @throws VaultSealed once closed */
  readonly aeadOf = (term: number): Aead | undefined => this.#assertOpen().terms.aeadOf(term)

  get keyring(): Keyring {
    return this.#assertOpen().opened.keyring
  }

  /** By the root key: wraps the keyring. @throws VaultSealed once closed */
  get root(): Aead {
    return this.#assertOpen().opened.root
  }

  /** The keys go; who still holds this gets VaultSealed. */
  close(): void {
    this.#open = undefined
  }

  refresh(): Promise<void> {
    this.#refreshing ??= this.#refresh().finally(() => {
      this.#refreshing = undefined
    })
    return this.#refreshing
  }

  /** A term that is newer than all others; what is written from now on is sealed under it. @throws LimitExceeded */
  async rotate(): Promise<number> {
    const { store, random, clock } = this.#ports
    for (let attempt = 0; attempt < limits.vaultTransactionAttempts; attempt++) {
      const { keyring, revision, root, rootKeyId } = this.#assertOpen().opened
      if (keyring.keys.length >= limits.vaultTerms) {
        throw new LimitExceeded(`The barrier has as many terms as it may have: ${keyring.keys.length}`)
      }
      const next = withNextTerm(keyring, random, clock)
      const written = await store.transact(
        [{ key: keyringPath, modRevision: revision }],
        [{ type: 'put', key: keyringPath, value: wrapKeyring(next, root, random) }],
      )
      mayCrash('vault/rotated')
      if (written.succeeded) {
        this.adopt({ keyring: next, revision: written.revision, root, rootKeyId })
        return next.keys.at(-1)!.term
      }
      await this.refresh()
    }
    throw new Overloaded(`Too many writers of the keyring; attempts: ${limits.vaultTransactionAttempts}`)
  }

  /** @throws VaultDamaged, VaultSealed */
  adopt(opened: OpenedKeyring): void {
    // Of two that come at the same time the older one says nothing new
    if (opened.revision < this.#assertOpen().opened.revision) return
    this.#open = { opened, terms: termsOf(opened.keyring, this.#ports.keys) }
  }

  async #refresh(): Promise<void> {
    const { revision, root, rootKeyId } = this.#assertOpen().opened
    const { store } = this.#ports
    const entry = await store.get(keyringPath)
    if (entry === undefined) throw damaged(keyringPath, 'it is missing')
    if (entry.modRevision === revision) return
    const { config } = await readSeal(store)
    this.adopt(config.rootKeyId === rootKeyId
      ? { keyring: unwrapKeyring(entry.value, root), revision: entry.modRevision, root, rootKeyId }
      : await this.#reopen())
  }

  #assertOpen(): { readonly opened: OpenedKeyring; readonly terms: Terms } {
    if (this.#open === undefined) throw new VaultSealed('The vault is sealed')
    return this.#open
  }
}
