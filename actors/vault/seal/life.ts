import { AlreadyExists, InvalidArgument } from '../../../runtime/errors.ts'
import { codeOf, type Audit } from '../audit/audit.ts'
import type { Core } from '../core.ts'
import { initialise, isUninitialised, openVault, type Split } from '../init.ts'
import { VaultSealed } from '../protocol.ts'
import { openKeyring, readSeal, readUnsealKey, unseal, type OpenedKeyring, type UnsealSecrets } from '../unseal.ts'
import { Quorum } from './quorum.ts'

export interface SealStatus {
  readonly initialised: boolean
  readonly sealed: boolean
  readonly shares: number
  readonly threshold: number
  /** Shares that were given towards the next unseal, and the nonce of that; 0 and ''. */
  readonly progress: number
  readonly nonce: string
  /** '' before it is initialised. */
  readonly vaultId: string
  /** Of the barrier; 0 while it is sealed. */
  readonly term: number
}

export interface Unsealing extends SealStatus {
  /** The share was given before: it counts once. */
  readonly duplicate: boolean
}

/** How the vault is made, opened and sealed. */
export interface SealLife {
  /** @throws VaultDamaged */
  status(): Promise<SealStatus>
  /** Makes the vault: its shares, which are nowhere else. @throws AlreadyExists, InvalidArgument, DiskFull */
  initialise(how: Split): Promise<readonly Uint8Array[]>
  /** One share. @throws InvalidArgument (it is none; not initialised), VaultSealed (all are forgotten) */
  unsealBy(share: Uint8Array): Promise<Unsealing>
  /** By the key file that the vault was started with. @throws VaultSealed, VaultDamaged */
  unsealByKey(): Promise<SealStatus>
  /** Forgets the shares that were given. */
  reset(): Promise<SealStatus>
  /** Its keys leave the memory in any case. @throws DiskFull when the audit could not be told */
  seal(): Promise<void>
  /** Shares of the root key, when this start made the vault: once. */
  takeShares(): readonly string[] | undefined
}

export interface SealLifeOptions {
  readonly core: Core
  readonly audit: Audit
  readonly secrets: UnsealSecrets
  /** This host has had a vault. */
  readonly booted: boolean
  /** Told when it opens and when it closes. */
  onChange(state: 'initialised' | 'unsealed' | 'sealed'): void
}

export function createSealLife({ core, audit, secrets, booted, onChange }: SealLifeOptions): SealLife & {
  /** At the start of the vault. @throws VaultSealed, VaultDamaged, ZoneStoreMismatch */
  start(): Promise<void>
} {
  const { ports } = core
  const quorum = new Quorum(ports.keys, ports.random)
  let recoveryShares: readonly string[] | undefined

  const status = async (): Promise<SealStatus> => {
    if (await isUninitialised(ports.store)) {
      return { initialised: false, sealed: true, shares: 0, threshold: 0, progress: 0, nonce: '', vaultId: '', term: 0 }
    }
    const { config: { shares, threshold, vaultId } } = await readSeal(ports.store)
    const { unsealed } = core
    return {
      initialised: true, sealed: unsealed === undefined, shares, threshold, vaultId, term: unsealed?.term ?? 0,
      progress: quorum.progress, nonce: quorum.nonce,
    }
  }
  /** What opens it is told to the audit, whether it does or not. */
  const opening = async (by: string, open: () => Promise<OpenedKeyring>): Promise<void> => {
    const entry = { kind: 'vault', method: 'unseal' } as const
    try {
      const { term } = await core.unseal(await open())
      quorum.reset()
      await audit.record({ ...entry, outcome: 'done', about: { by, term } })
    } catch (error) {
      core.seal()
      await audit.record({ ...entry, outcome: 'failed', code: codeOf(error), about: { by } })
      throw error
    }
  }
  /** Durable before there is a vault whose shares could be lost with an answer that is not given. */
  const recorded = async <T>(make: () => Promise<T | undefined>, whoMade: (made: T) => string): Promise<T | undefined> => {
    const entry = { kind: 'vault', method: 'initialise' } as const
    const of = await audit.record({ ...entry, outcome: 'begun' })
    try {
      const made = await make()
      const outcome = made === undefined ? { outcome: 'failed', code: 'AlreadyExists' } as const
        : { outcome: 'done', about: { vaultId: whoMade(made) } } as const
      await audit.record({ ...entry, ...outcome, of }).catch(() => {})
      return made
    } catch (error) {
      await audit.record({ ...entry, outcome: 'failed', code: codeOf(error), of }).catch(() => {})
      throw error
    }
  }
  return {
    status,
    async start() {
      const by = secrets['recovery-shares'] === undefined ? 'key file' : 'shares and key file'
      let initialised = false
      await opening(by, async () => {
        const open = () => openVault(ports, secrets, { booted })
        if (!(await isUninitialised(ports.store))) return open()
        const opened = (await recorded(open, ({ keyring }) => keyring.vaultId))!
        recoveryShares = opened.shares
        initialised = opened.shares !== undefined
        return opened
      })
      onChange(initialised ? 'initialised' : 'unsealed')
    },
    async initialise(how) {
      const exists = (): Error => new AlreadyExists('The vault is initialised already')
      if (!(await isUninitialised(ports.store))) throw exists()
      const unsealKey = (secrets['unseal-key'] ?? '') === '' ? undefined : readUnsealKey(secrets)
      const opened = await recorded(() => initialise(ports, how, unsealKey), ({ keyring }) => keyring.vaultId)
      if (!opened) throw exists()
      if (unsealKey) await opening('key file', async () => opened)
      onChange('initialised')
      return opened.shares
    },
    async unsealBy(share) {
      if (await isUninitialised(ports.store)) throw new InvalidArgument('The vault is not initialised yet')
      if (core.unsealed) return { ...await status(), duplicate: false }
      const { config } = await readSeal(ports.store)
      let offered
      try {
        offered = quorum.offer(share, config)
      } catch (error) {
        const wrong = error instanceof VaultSealed
        if (wrong) quorum.reset()
        await audit.record({ kind: 'vault', method: 'unseal', outcome: 'failed', code: codeOf(error),
          about: { by: 'shares' } })
        throw error
      }
      const { rootKey, duplicate } = offered
      if (rootKey) {
        await opening('shares', () => openKeyring(ports, config, rootKey)).finally(() => rootKey.fill(0))
        onChange('unsealed')
      }
      return { ...await status(), duplicate }
    },
    async unsealByKey() {
      if (!core.unsealed) {
        await opening('key file', () => unseal(ports, { 'unseal-key': secrets['unseal-key'] ?? '' }))
        onChange('unsealed')
      }
      return status()
    },
    async reset() {
      quorum.reset()
      return status()
    },
    async seal() {
      // First, whatever becomes of the audit: who seals has a reason
      core.seal()
      quorum.reset()
      onChange('sealed')
      await audit.record({ kind: 'vault', method: 'seal', outcome: 'done' })
      await audit.forgetKey()
    },
    takeShares() {
      const taken = recoveryShares
      recoveryShares = undefined
      return taken
    },
  }
}
