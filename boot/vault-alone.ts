import { kernelActors, kernelRuntimeTypes } from '../actors/trust-matrix.ts'
import { VaultListener } from '../actors/vault/protocol.ts'
import type { Platform } from '../runtime/platform/ports.ts'
import { folderOf } from '../runtime/store/location.ts'
import { Supervisor } from '../runtime/supervisor.ts'
import { createTrace, type Trace } from '../runtime/trace.ts'
import { vaultActor, vaultListener, type VaultHttp } from './catalogue.ts'
import { FolderOfAnotherZone } from './errors.ts'
import { file } from './init.ts'

export interface VaultAloneOptions {
  readonly platform: Platform
  /** Made if it is missing. */
  readonly folder: string
  readonly http: VaultHttp
  readonly trace?: Trace
}

export interface VaultAlone {
  readonly address: { readonly hostname: string; readonly port: number; readonly tls: boolean }
  readonly trace: Trace
  get: Supervisor['get']
  stop(): Promise<void>
}

const HOST = 'localhost'
const ZONE = 'vault'

/**
 * The vault and its listener, and no zone around them: sealed, or not yet initialised, until a client of its HTTP API
 * says otherwise.
 * @throws FolderInUse, FolderOfAnotherZone for the folder of a zone, NotWritable, PortInUse, VaultDamaged
 */
export async function startVaultAlone(options: VaultAloneOptions): Promise<VaultAlone> {
  const { platform, folder, http, trace = createTrace() } = options
  const files = await platform.host.openFolder(folder)
  const unlock = await files.lock(file.lock)
  const stores = files.path(file.stores)
  const device = platform.keys.generate(platform.random.fork('device'))
  const supervisor = new Supervisor({
    platform, zone: ZONE, host: HOST, device, stores: folderOf(stores), trace, kernelActors, kernelRuntimeTypes,
    devices: [{ host: HOST, role: 'ood', jwk: device.public.jwk }],
  }, [vaultActor(stores), vaultListener(http)])
  const stop = async (): Promise<void> => {
    await supervisor.stopAll()
    await unlock()
  }
  try {
    if (await files.read(file.identity)) {
      throw new FolderOfAnotherZone(`The folder is that of a zone, whose vault runs with it: ${files.path('.')}`, {
        next: 'Boot it with up, or give another folder with --dir',
      })
    }
    for (const name of [file.stores, file.audit]) await files.makeFolder(name, { mode: 0o700 })
    await supervisor.load()
    await supervisor.start('vault', { env: { ZONEWRIGHT_VAULT_SEALED: '1' } })
    await supervisor.start('vault-listener')
    return {
      address: await supervisor.get(VaultListener).address({}), trace, get: (protocol) => supervisor.get(protocol), stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}
