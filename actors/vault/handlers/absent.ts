import { noResource, type Area, type VaultHandlers } from '../guarded.ts'
import { NotInVault } from '../protocol.ts'

/** Seam: in its place comes what serves HashiCorp Vault's API, from `http/`. */
export function httpHandlers({ guarded }: Area): Pick<VaultHandlers, 'http'> {
  return {
    http: guarded.always('http', noResource, () => {
      throw new NotInVault('This vault serves no HTTP')
    }),
  }
}
