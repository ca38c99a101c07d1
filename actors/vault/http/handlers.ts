import { noResource, type Area, type VaultHandlers } from '../guarded.ts'
import { pkiEngineAt } from '../pki/handlers.ts'
import { createHttp } from './http.ts'

/** HashiCorp Vault's API, for the vault's own listener. */
export function httpHandlers(area: Area): Pick<VaultHandlers, 'http'> {
  const http = createHttp(area, pkiEngineAt(area))
  return { http: area.guarded.always('http', noResource, (request) => http(request)) }
}
