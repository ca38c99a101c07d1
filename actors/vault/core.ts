import { createBarrier, type Barrier } from './barrier.ts'
import type { Audit } from './audit/audit.ts'
import type { VaultPorts } from './init.ts'
import { LiveTerms } from './live-terms.ts'
import { createNamedKeys, type NamedKeys } from './named-keys.ts'
import { VaultSealed } from './protocol.ts'
import { createSecrets, type Secrets } from './secrets.ts'
import type { OpenedKeyring } from './unseal.ts'

/** What the vault has while it is open. Made anew at each unseal; whoever keeps it over a seal gets VaultSealed. */
export interface Unsealed {
  readonly vaultId: string
  readonly shares: number
  readonly threshold: number
  /** Of the barrier: what is written now is sealed under it. */
  readonly term: number
  readonly terms: LiveTerms
  readonly barrier: Barrier
  readonly namedKeys: NamedKeys
  readonly secrets: Secrets
  /** Aborts when the vault is sealed. */
  readonly sealing: AbortSignal
}

export interface CoreOptions {
  readonly ports: VaultPorts
  readonly audit: Audit
  /** Opens the keyring again by the key file. @throws VaultSealed, VaultDamaged */
  readonly reopen: () => Promise<OpenedKeyring>
}

/** The vault, sealed or open. */
export interface Core {
  readonly ports: VaultPorts
  /** Undefined while it is sealed. */
  readonly unsealed: Unsealed | undefined
  /** @throws VaultSealed */
  open(): Unsealed
  /** Settles when all who wait for an unseal have made what they need; where one of them fails, it is sealed again. */
  unseal(opened: OpenedKeyring): Promise<Unsealed>
  /** Its keys leave the memory; what is under way there fails with VaultSealed. */
  seal(): void
  /** Runs at each unseal from now on, before anybody is served. */
  onUnsealed(listener: (vault: Unsealed) => Promise<void> | void): void
}

export function createCore({ ports, audit, reopen }: CoreOptions): Core {
  const listeners: ((vault: Unsealed) => Promise<void> | void)[] = []
  let unsealed: Unsealed | undefined
  let close: () => void = () => {}
  return {
    ports,
    get unsealed() { return unsealed },
    open() {
      if (unsealed === undefined) throw new VaultSealed('The vault is sealed; unseal it first')
      return unsealed
    },
    async unseal(opened) {
      close()
      const sealing = new AbortController()
      const terms = new LiveTerms(ports, opened, reopen)
      close = () => {
        unsealed = undefined
        terms.close()
        sealing.abort(new VaultSealed('The vault was sealed'))
      }
      const vault = build(ports, audit, terms, sealing.signal)
      try {
        for (const listener of listeners) await listener(vault)
      } catch (error) {
        close()
        throw error
      }
      // It may have been sealed meanwhile
      if (!sealing.signal.aborted) unsealed = vault
      return vault
    },
    seal: () => close(),
    onUnsealed: (listener) => void listeners.push(listener),
  }
}

function build(ports: VaultPorts, audit: Audit, terms: LiveTerms, sealing: AbortSignal): Unsealed {
  const { store, keys, random, clock } = ports
  const barrier = createBarrier({ store, random, terms, beside: () => audit.headOperations() })
  return {
    terms, sealing, barrier,
    vaultId: terms.keyring.vaultId,
    get shares() { return terms.keyring.shares },
    get threshold() { return terms.keyring.threshold },
    get term() { return terms.current.term },
    namedKeys: createNamedKeys({ barrier, keys, random, clock }),
    secrets: createSecrets({ barrier, clock }),
  }
}

/** What a part of the vault keeps for as long as it is open: made when it is first asked for after each unseal. */
export function perUnseal<T>(make: (vault: Unsealed) => T): (vault: Unsealed) => T {
  const made = new WeakMap<Unsealed, { readonly value: T }>()
  return (vault) => {
    const found = made.get(vault) ?? { value: make(vault) }
    made.set(vault, found)
    return found.value
  }
}
