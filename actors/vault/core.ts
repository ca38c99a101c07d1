import type { Clock, Keys, Random } from '../../runtime/platform/ports.ts'
import type { Store } from '../../runtime/store/store.ts'
import { createBarrier, type Barrier } from './barrier.ts'
import { termsOf, type Keyring } from './keyring.ts'
import { createNamedKeys, type NamedKeys } from './named-keys.ts'
import { VaultSealed } from './protocol.ts'
import { createSecrets, type Secrets } from './secrets.ts'

export interface CorePorts {
  readonly store: Store
  readonly keys: Keys
  readonly random: Random
  readonly clock: Clock
}

/** What the vault has while it is open. Made anew at each unseal; nothing of it is used after the seal. */
export interface Unsealed {
  readonly vaultId: string
  readonly shares: number
  readonly threshold: number
  /** Of the barrier: what is written now is sealed under it. */
  readonly term: number
  readonly barrier: Barrier
  readonly namedKeys: NamedKeys
  readonly secrets: Secrets
  /** Aborts when the vault is sealed. */
  readonly sealing: AbortSignal
}

/** The vault, sealed or open. */
export interface Core {
  readonly ports: CorePorts
  /** Undefined while it is sealed. */
  readonly unsealed: Unsealed | undefined
  /** @throws VaultSealed */
  open(): Unsealed
  unseal(keyring: Keyring): Unsealed
  seal(): void
  /** Runs now where it is open, and after each unseal from now on. */
  onUnsealed(listener: (vault: Unsealed) => void): void
}

export function createCore(ports: CorePorts): Core {
  const listeners: ((vault: Unsealed) => void)[] = []
  let unsealed: Unsealed | undefined
  let sealing = new AbortController()
  return {
    ports,
    get unsealed() { return unsealed },
    open() {
      if (unsealed === undefined) throw new VaultSealed('The vault is sealed')
      return unsealed
    },
    unseal(keyring) {
      sealing = new AbortController()
      unsealed = build(ports, keyring, sealing.signal)
      for (const listener of listeners) listener(unsealed)
      return unsealed
    },
    seal() {
      unsealed = undefined
      sealing.abort(new VaultSealed('The vault was sealed'))
    },
    onUnsealed(listener) {
      listeners.push(listener)
      if (unsealed) listener(unsealed)
    },
  }
}

function build(ports: CorePorts, keyring: Keyring, sealing: AbortSignal): Unsealed {
  const { store, keys, random, clock } = ports
  const { vaultId, shares, threshold } = keyring
  const terms = termsOf(keyring, keys)
  const barrier = createBarrier({ store, random, terms })
  return {
    vaultId, shares, threshold, sealing, barrier,
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
