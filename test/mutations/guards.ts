/**
 * The safety guards of the production code. A new guard gets a row here, with the test, or the seed of a simulated run,
 * that fails without it.
 * Which ones there are is for people to say; that each of these is noticed is what is tested.
 */
import type { Guard } from './guard.ts'
import { trust } from './guards/trust.ts'
import { link } from './guards/link.ts'
import { link2 } from './guards/link-2.ts'
import { trustMatrix } from './guards/trust-matrix.ts'
import { systemConfig } from './guards/system-config.ts'
import { systemConfig2 } from './guards/system-config-2.ts'
import { rbac } from './guards/rbac.ts'
import { verifyHub } from './guards/verify-hub.ts'
import { verifyHub2 } from './guards/verify-hub-2.ts'
import { enforcement } from './guards/enforcement.ts'
import { oauth } from './guards/oauth.ts'
import { rotation } from './guards/rotation.ts'
import { accounts } from './guards/accounts.ts'
import { vault } from './guards/vault.ts'
import { pki } from './guards/pki.ts'
import { vaultCore } from './guards/vault-core.ts'
import { audit } from './guards/audit.ts'
import { vaultHttp } from './guards/vault-http.ts'
import { vaultHttp2 } from './guards/vault-http-2.ts'
import { host } from './guards/host.ts'
import { gateway } from './guards/gateway.ts'
import { web } from './guards/web.ts'
import { boot } from './guards/boot.ts'
import { store } from './guards/store.ts'
import { backup } from './guards/backup.ts'
import { migrate } from './guards/migrate.ts'
import { commandLine } from './guards/command-line.ts'
import { join } from './guards/join.ts'
import { carrier } from './guards/carrier.ts'
import { joinOod } from './guards/join-ood.ts'
import { joinRevoked } from './guards/join-revoked.ts'
import { clientDevice } from './guards/client-device.ts'
import { registration } from './guards/registration.ts'
import { storm } from './guards/storm.ts'
import { signIn } from './guards/sign-in.ts'
import { x509 } from './guards/x509.ts'
import { genPems } from './guards/gen-pems.ts'
import { years } from './guards/years.ts'
import { certManager } from './guards/cert-manager.ts'
import { dns } from './guards/dns.ts'
import { ofLeading } from './guards/leading.ts'
import { nodeMonitor } from './guards/node-monitor.ts'
import { placement } from './guards/placement.ts'
import { simHosts } from './guards/sim-hosts.ts'
import { kept } from './guards/kept.ts'
import { tunnel } from './guards/tunnel.ts'
import { scale } from './guards/scale.ts'
import { tunnels } from './guards/tunnels.ts'
import { edge } from './guards/edge.ts'
import { relay } from './guards/relay.ts'
import { uplink } from './guards/uplink.ts'
import { span } from './guards/span.ts'

export { secondLines } from './guards/second-lines.ts'

export const guards: readonly Guard[] = [
  ...trust,
  ...link,
  ...link2,
  ...trustMatrix,
  ...systemConfig,
  ...systemConfig2,
  ...rbac,
  ...verifyHub,
  ...verifyHub2,
  ...enforcement,
  ...oauth,
  ...rotation,
  ...accounts,
  ...vault,
  ...pki,
  ...vaultCore,
  ...audit,
  ...vaultHttp,
  ...vaultHttp2,
  ...host,
  ...gateway,
  ...web,
  ...boot,
  ...store,
  ...backup,
  ...migrate,
  ...commandLine,
  ...join,
  ...carrier,
  ...clientDevice,
  ...registration,
  ...joinOod,
  ...joinRevoked,
  ...storm,
  ...signIn,
  ...x509,
  ...genPems, ...years,
  ...certManager,
  ...dns,
  ...ofLeading,
  ...nodeMonitor,
  ...placement,
  ...simHosts,
  ...kept,
  ...tunnel,
  ...scale,
  ...tunnels,
  ...uplink,
  ...span,
  ...edge,
  ...relay,
]
