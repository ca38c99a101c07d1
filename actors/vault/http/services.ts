import type { Clock, Keys, Random } from '../../../runtime/platform/ports.ts'
import { barrierView } from '../barrier.ts'
import type { Unsealed } from '../core.ts'
import type { Engine, EnginePorts } from '../engine.ts'
import type { VaultPorts } from '../init.ts'
import { createKvEngine } from '../kv/engine.ts'
import { linkFolders, secretPrefix } from '../secrets.ts'
import { createMounts, type Mount, type Mounts } from './mounts.ts'
import { createPolicies, type Policies } from './policies/store.ts'
import { openTokenStore, type TokenStore } from './tokens/store.ts'
import { createSweeper } from './tokens/sweeper.ts'

/** What the HTTP side keeps while the vault is open. */
export interface Services {
  readonly vault: Unsealed
  readonly clock: Clock
  readonly keys: Keys
  readonly random: Random
  readonly tokens: TokenStore
  readonly policies: Policies
  readonly mounts: Mounts
  engineOf(mount: Mount): Engine
}

/** Makes the engine of a mount of type `pki`. */
export type MakePki = (mount: Mount, ports: EnginePorts, vault: Unsealed) => Engine

/** @throws VaultDamaged */
export async function openServices(
  vault: Unsealed, ports: VaultPorts, makePki: MakePki, warn: (message: string) => void,
): Promise<Services> {
  const { keys, clock } = ports
  const random = ports.random.fork('http')
  const { barrier } = vault
  const engines = new Map<string, Engine>()
  const makeEngine = (mount: Mount): Engine => {
    const own: EnginePorts = { barrier: barrierView(barrier, mount.prefix), keys, random, clock }
    if (mount.type === 'pki') return makePki(mount, own, vault)
    return createKvEngine({ ...own, hidden: mount.prefix === secretPrefix ? linkFolders : [] })
  }
  const mounts = createMounts({ barrier, random })
  const sweeper = createSweeper({ clock, sealing: vault.sealing, warn })
  const tokens = await openTokenStore({ barrier, keys, random, clock, onDue: sweeper.due })
  await sweeper.watch(tokens)
  await mounts.resume()
  return {
    vault, clock, keys, random, mounts, tokens, policies: createPolicies(barrier),
    engineOf(mount) {
      const engine = engines.get(mount.uuid) ?? makeEngine(mount)
      engines.set(mount.uuid, engine)
      return engine
    },
  }
}
