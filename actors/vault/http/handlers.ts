import { noResource, type Area, type VaultHandlers } from '../guarded.ts'
import { NotInVault } from '../protocol.ts'
import { createHttp } from './http.ts'

/** HashiCorp Vault's API, for the vault's own listener. */
export function httpHandlers(area: Area): Pick<VaultHandlers, 'http'> {
  const http = createHttp(area, () => {
    throw new NotInVault('This vault has no certificates')
  })
  return { http: area.guarded.always('http', noResource, (request) => http(request)) }
}
