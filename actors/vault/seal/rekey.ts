import { AlreadyExists, InvalidArgument, NotFound, Overloaded } from '../../../runtime/errors.ts'
import { mayCrash } from '../../../runtime/fault-points.ts'
import type { Operation } from '../../../runtime/store/store.ts'
import type { Audit } from '../audit/audit.ts'
import type { AuditEntry } from '../audit/record.ts'
import type { Core } from '../core.ts'
import { sharesOf, type Split } from '../init.ts'
import { keyBytes, keyringPath, unwrapKeyring, wrapKeyring } from '../keyring.ts'
import { hasKeyId, keyId, sealConfigPath, type SealConfig } from '../seal-config.ts'
import { autoUnsealPath, autoUnsealRecord, readSeal, readUnsealKey, type UnsealSecrets } from '../unseal.ts'
import { Quorum, type Offered } from './quorum.ts'

export interface RekeyStatus {
  /** '' when there is none under way. */
  readonly nonce: string
  readonly shares: number
  readonly threshold: number
  readonly progress: number
  /** Shares of the old split that it takes. */
  readonly required: number
  /** The new shares count only once enough of them were given back. */
  readonly verify: boolean
  /** Of that, once it has come to it; else ''. */
  readonly verificationNonce: string
  readonly verificationProgress: number
}

export type RekeyStep =
  | { readonly complete: false; readonly progress: number; readonly duplicate: boolean }
  | { readonly complete: true; readonly shares: readonly Uint8Array[]; readonly verificationNonce: string }

interface UnderWay extends Split {
  readonly verify: boolean
  readonly quorum: Quorum
  /** Made, and not in force before it is verified. */
  made?: { readonly rootKey: Uint8Array; readonly verification: Quorum; readonly config: SealConfig }
}

/**
 * A new root key, and new shares of it: the old ones open nothing any more. In memory until it comes into force in one
 * transaction, so a vault that ends before is as it was. The barrier's own keys stay; `rotate` is for them.
 */
export class Rekey {
  readonly #core: Core
  readonly #audit: Audit
  readonly #secrets: UnsealSecrets
  #underWay: UnderWay | undefined

  constructor(core: Core, audit: Audit, secrets: UnsealSecrets) {
    this.#core = core
    this.#audit = audit
    this.#secrets = secrets
  }

  /** @throws VaultSealed */
  async status(): Promise<RekeyStatus> {
    this.#core.open()
    const { config } = await readSeal(this.#core.ports.store)
    const { quorum, made, ...of } = this.#underWay ?? { shares: 0, threshold: 0, verify: false }
    return {
      nonce: quorum?.nonce ?? '', shares: of.shares, threshold: of.threshold, progress: quorum?.progress ?? 0,
      required: config.threshold, verify: of.verify, verificationNonce: made?.verification.nonce ?? '',
      verificationProgress: made?.verification.progress ?? 0,
    }
  }

  /** @throws AlreadyExists when one is under way; InvalidArgument; VaultSealed, also when unseal.key is not at hand */
  async begin({ shares, threshold, verify }: Split & { readonly verify: boolean }): Promise<RekeyStatus> {
    const { ports: { store, keys, random } } = this.#core
    const { sealing } = this.#core.open()
    if (this.#underWay) throw new AlreadyExists('A rekey is under way; cancel it first')
    // The same numbers are refused now that would be refused at the end
    sharesOf(new Uint8Array(keyBytes), { shares, threshold }, random)
    const { config } = await readSeal(store)
    if (config.unsealKeyId !== '') this.#unsealKey(config)
    const quorum = new Quorum(keys, random)
    quorum.begin()
    this.#underWay = { shares, threshold, verify, quorum }
    sealing.addEventListener('abort', () => this.cancel(), { once: true })
    await this.#record({ outcome: 'begun', about: { shares, threshold, verify } })
    return this.status()
  }

  cancel(): void {
    const { quorum, made } = this.#underWay ?? {}
    quorum?.reset()
    made?.rootKey.fill(0)
    made?.verification.reset()
    this.#underWay = undefined
  }

  /**
   * A share of the old split. With the last one the new shares are made, and come into force unless they are to be
   * verified first.
   * @throws NotFound, InvalidArgument, VaultSealed (the shares are not of this vault: all are forgotten), Overloaded
   */
  async offer(nonce: string, share: Uint8Array): Promise<RekeyStep> {
    this.#core.open()
    const { ports: { store, keys, random } } = this.#core
    const underWay = this.#named(nonce)
    if (underWay.made) throw new InvalidArgument('The new shares are made; verify them')
    const { config } = await readSeal(store)
    const offered = underWay.quorum.offer(share, config)
    if (!offered.rootKey) return { complete: false, progress: offered.progress, duplicate: offered.duplicate }
    offered.rootKey.fill(0)
    // Durable before there are shares that an answer tells
    await this.#record({ outcome: 'begun', about: { shares: underWay.shares, threshold: underWay.threshold } })
    const rootKey = random.bytes(keyBytes)
    const shares = sharesOf(rootKey, underWay, random)
    if (!underWay.verify) {
      await this.#enforce(rootKey, underWay, config.rootKeyId)
      return { complete: true, shares, verificationNonce: '' }
    }
    const { vaultId } = config
    const next = {
      ...config, shares: underWay.shares, threshold: underWay.threshold, rootKeyId: keyId('root', rootKey, vaultId, keys),
    }
    const verification = new Quorum(keys, random)
    underWay.made = { rootKey, verification, config: next }
    return { complete: true, shares, verificationNonce: verification.begin() }
  }

  /** A new share, given back: with enough of them the new split comes into force. @throws as `offer` */
  async verify(nonce: string, share: Uint8Array): Promise<Offered & { readonly complete: boolean }> {
    this.#core.open()
    const underWay = this.#underWay
    const made = underWay?.made
    if (!made || made.verification.nonce !== nonce) throw new NotFound('No new shares wait to be verified by this nonce')
    const { rootKey, ...offered } = made.verification.offer(share, made.config)
    if (!rootKey) return { ...offered, complete: false }
    const { config } = await readSeal(this.#core.ports.store)
    await this.#enforce(rootKey, underWay, config.rootKeyId)
    return { ...offered, complete: true }
  }

  #named(nonce: string): UnderWay {
    const underWay = this.#underWay
    if (!underWay || underWay.quorum.nonce !== nonce) throw new NotFound('No rekey is under way by this nonce')
    return underWay
  }

  #unsealKey(config: SealConfig): Uint8Array {
    const unsealKey = readUnsealKey(this.#secrets)
    if (hasKeyId('unseal', unsealKey, config, this.#core.ports.keys)) return unsealKey
    throw new InvalidArgument('The unseal key is not the one of this vault: after a rekey it would open it no more')
  }

  /** One transaction, by which the old shares open nothing and the new ones, and the key file, open the vault. */
  async #enforce(rootKey: Uint8Array, { shares, threshold }: Split, before: string): Promise<void> {
    const { ports } = this.#core
    const { store, keys, random } = ports
    const { terms } = this.#core.open()
    await terms.refresh()
    const { config, entry } = await readSeal(store)
    const record = await store.get(keyringPath)
    if (config.rootKeyId !== before || !record) throw new Overloaded('Another vault was rekeyed meanwhile; begin again')
    const { vaultId } = config
    const root = keys.aead(rootKey)
    const rootKeyId = keyId('root', rootKey, vaultId, keys)
    const keyring = { ...unwrapKeyring(record.value, terms.root), shares, threshold }
    const next: SealConfig = { ...config, shares, threshold, rootKeyId }
    const operations: Operation[] = [
      { type: 'put', key: sealConfigPath, value: new TextEncoder().encode(JSON.stringify(next)) },
      { type: 'put', key: keyringPath, value: wrapKeyring(keyring, root, random) },
    ]
    if (config.unsealKeyId !== '') {
      const value = autoUnsealRecord(rootKey, this.#unsealKey(config), vaultId, ports)
      operations.push({ type: 'put', key: autoUnsealPath, value })
    }
    const guards = [entry, record].map(({ key, modRevision }) => ({ key, modRevision }))
    const { succeeded, revision } = await store.transact(guards, operations)
    mayCrash('vault/rekeyed')
    this.cancel()
    rootKey.fill(0)
    if (!succeeded) throw new Overloaded('The seal or the keyring was changed meanwhile; begin the rekey again')
    terms.adopt({ keyring, revision, root, rootKeyId })
    // `begun` stands already: who gets no answer now would never learn the new shares
    await this.#record({ outcome: 'done', about: { shares, threshold } }).catch(() => {})
  }

  async #record(entry: Pick<AuditEntry, 'outcome' | 'about'>): Promise<void> {
    await this.#audit.record({ kind: 'vault', method: 'rekey', ...entry })
  }
}
