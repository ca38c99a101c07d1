import { kv } from '../../actors/records.ts'
import { NodeDaemon } from '../../actors/node-daemon/protocol.ts'
import { Scheduler } from '../../actors/scheduler/protocol.ts'
import { Vault } from '../../actors/vault/protocol.ts'
import { VerifyHub } from '../../actors/verify-hub/protocol.ts'
import type { Client, Protocol } from '../../runtime/protocol.ts'
import { reading, writing, type ConfigRow } from './config-row.ts'
import type { Attempt } from './judge.ts'
import { APPID, type Scene, type Visitor } from './scene.ts'

const deviceDocument = ({ host }: Scene): string => kv.device(host)
const nodeConfig = ({ host }: Scene): string => kv.node(host)
const ownerSettings = ({ zone }: Scene): string => kv.user(zone.config.owner)
const policy = (): string => 'system/rbac/policy'

const set: ConfigRow[4] = (config, settings, key, { value }) => config.set({ key, value }, settings)
const get: ConfigRow[4] = (config, settings, key) => config.get({ key }, settings)
const dump: ConfigRow[4] = (config, settings, key) => config.dump({ prefixes: [key] }, settings)
const update: ConfigRow[4] = (config, settings, key, { value }) =>
  config.execTx({ actions: { [key]: { action: 'update', value } } }, settings)
const watch: ConfigRow[4] = async (config, settings, prefix) => {
  for await (const _ of config.watch({ prefix, after: 0 }, { ...settings, withinMs: 5_000 })) return
}

const writes: readonly ConfigRow[] = [
  ['A service changes the access policy', 'service', 'rbac/no-rule', policy, update],
  ['The device changes the access policy', 'device', 'rbac/no-rule', policy, update],
  ['A service changes what its host runs', 'service', 'rbac/no-rule', nodeConfig, set],
  ['The device changes what it runs', 'device', 'rbac/no-rule', nodeConfig, set],
  ['The device replaces its own document', 'device', 'rbac/root-only', deviceDocument, set],
  ['The device changes the settings of the owner', 'device', 'rbac/sudo-only', ownerSettings, set],
  ['A service changes the settings of the owner', 'service', 'rbac/sudo-only', ownerSettings, set],
  ['A service changes its own spec', 'service', 'rbac/no-rule', () => kv.spec(APPID), set],
  ['A service changes the spec of another', 'service', 'rbac/no-rule', () => kv.spec('gateway'), set],
  ['A service writes the record of another', 'service', 'rbac/no-rule', () => 'services/gateway/instances/prove', set],
]

const reads: readonly ConfigRow[] = [
  ['A service reads the settings of the owner', 'service', 'rbac/no-rule', ownerSettings, get],
  ['A service reads all users', 'service', 'rbac/no-rule', () => 'users/', dump],
  ['A service watches what its host runs', 'service', 'rbac/no-rule', nodeConfig, watch],
  ['The device reads what only root may read', 'device', 'rbac/root-only', () => 'security/secrets', get],
  ['The device reads everything at once', 'device', 'rbac/root-only', () => '', dump],
  ['Nobody reads boot/config', 'nobody', 'token/absent', () => kv.bootConfig, get],
]

/** Over a link that is as it should be, to somebody who is not to be spoken to, or not like that. */
const call = <P extends Protocol>(
  name: string, reason: string, to: P, visitor: Visitor, attempt: (client: Client<P>) => Promise<unknown>,
): Attempt => ({
  name, group: 'policy', expected: { code: 'Denied', reason },
  async prepare(scene) {
    const { client } = await scene.connect(to, visitor)
    return () => attempt(client)
  },
})

/** The supervisor of this host, on its own link to the vault. */
const bySupervisor = (
  name: string, code: string, reason: string, attempt: (vault: Client<typeof Vault>, scene: Scene) => Promise<unknown>,
): Attempt => ({
  name, group: 'policy', expected: { code, reason },
  prepare: async (scene) => () => attempt(scene.zone.get(Vault), scene),
})

const hubKey = { name: 'verify-hub' }

export const policyAttacks: readonly Attempt[] = [
  ...writes.map((row) => writing('policy', row)),
  ...reads.map((row) => reading('policy', row)),
  call('A service asks the vault for the key of verify-hub', 'link/not-admitted', Vault, {},
    (vault) => vault.readKey(hubKey)),
  call('The gateway asks the vault for a secret', 'link/not-admitted', Vault,
    { actor: 'gateway', runtimeType: 'gateway' }, (vault) => vault.getSecret({ path: 'verify-hub/passwords/owner' })),
  call('A service under the name of verify-hub alone', 'link/not-admitted', Vault, { actor: 'verify-hub' },
    (vault) => vault.readKey(hubKey)),
  bySupervisor('The supervisor asks the vault for the key of verify-hub', 'Denied', 'rbac/no-rule',
    (vault) => vault.readKey(hubKey)),
  bySupervisor('The supervisor asks the vault for a password', 'Denied', 'rbac/no-rule', (vault, scene) =>
    vault.getSecret({ path: `verify-hub/passwords/${scene.zone.config.owner}` })),
  bySupervisor('The supervisor makes a key in the vault', 'Denied', 'rbac/no-rule',
    (vault) => vault.ensureKey({ name: 'prove' })),
  bySupervisor('A token is shown to the vault', 'Denied', 'link/takes-no-tokens', (vault, scene) =>
    vault.status({}, { token: scene.token('session') })),
  bySupervisor('The recovery shares are asked for again', 'NotFound', '', (vault) => vault.takeRecoveryShares({})),
  call('A service makes the scheduler run', 'link/not-admitted', Scheduler, {}, (scheduler) => scheduler.round({})),
  call('A service asks for the first password', 'login/first-password', VerifyHub, {},
    (hub) => hub.issueFirstPassword({})),
  call('A worker that is no service asks for a login token', 'login/app', NodeDaemon, { actor: 'prove-nowhere' },
    (daemon) => daemon.loginToken({})),
]
