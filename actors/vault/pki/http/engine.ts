import type { Engine } from '../../engine.ts'
import { notInVault } from '../refused.ts'
import type { Pki } from '../pki.ts'
import { authorityRoutes } from './authorities.ts'
import { certifyRoutes } from './certify.ts'
import { configRoutes } from './config.ts'
import { fetchRoutes } from './fetch.ts'
import { issuerRoutes } from './issuers.ts'
import { revokeRoutes } from './revoke.ts'
import { roleRoutes } from './roles.ts'
import { findRoute, type Route } from './route.ts'

/** Those without a name in their path first: `cert/ca` is no serial. */
const routes: readonly Route[] = [
  ...certifyRoutes, ...roleRoutes, ...fetchRoutes, ...issuerRoutes, ...authorityRoutes, ...revokeRoutes,
  ...configRoutes,
].sort((left, right) => Number(left.path.includes(':')) - Number(right.path.includes(':')))

const open = routes.filter((route) => route.open).map(({ path }) => path.replaceAll(':', '*'))

/**
 * HashiCorp Vault's HTTP API below a mount of type `pki`. Not here: OCSP, ACME, delta lists, several issuers that sign
 * at the same time, managed keys, cross-signing for others, and import of keys that are not PKCS #8, SEC 1 or PKCS #1.
 */
export const pkiEngine = (pki: Pki): Engine => ({
  type: 'pki',
  open,
  async handle(request) {
    const found = findRoute(routes, pki, request)
    if (found === undefined) throw notInVault('path below this mount', request.path.slice(0, 128))
    return found.handle(found.call)
  },
  async exists(path) {
    const [, name] = /^roles\/([^/]+)$/.exec(path) ?? []
    return name === undefined || (await pki.roles.list()).includes(name)
  },
})
