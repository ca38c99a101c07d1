import { kv } from '../../actors/records.ts'
import type { DenialReason } from '../../runtime/trust/denial.ts'
import { writing, type ConfigRow } from './config-row.ts'
import type { Attempt } from './judge.ts'
import { scratchKey } from './scene.ts'

const bootConfig = (): string => kv.bootConfig

const bootTransaction = (name: string, by: ConfigRow[1], reason: DenialReason): ConfigRow =>
  [name, by, reason, bootConfig, (config, settings, key, { value }) => config.execTx({
    actions: { [key]: { action: 'create', value } }, mainKey: { key, revision: 0 },
  }, settings)]

const comparedUpdate = (name: string, by: ConfigRow[1]): ConfigRow =>
  [name, by, 'rbac/root-only', bootConfig, (config, settings, key, { value, revision }) => config.execTx({
    actions: { [key]: { action: 'update', value } }, mainKey: { key, revision },
  }, settings)]

const rows: readonly ConfigRow[] = [
  bootTransaction('A second boot transaction by the boot token', 'scheduler', 'token/use'),
  bootTransaction('A second boot transaction by the device', 'device', 'rbac/root-only'),
  bootTransaction('A second boot transaction by a service', 'service', 'rbac/root-only'),
  bootTransaction('A second boot transaction by nobody', 'nobody', 'token/absent'),
  comparedUpdate('The device changes boot/config', 'device'),
  comparedUpdate('A service changes boot/config', 'service'),
  ['A service sets boot/config outside of a transaction', 'service', 'rbac/root-only', bootConfig,
    (config, settings, key, { value }) => config.set({ key, value }, settings)],
  ['A service sets boot/config by its full name', 'service', 'rbac/root-only', bootConfig,
    (config, settings, key, { value }) => config.set({ key: `kv://${key}`, value }, settings)],
  ['The device appends to boot/config', 'device', 'rbac/root-only', bootConfig,
    (config, settings, key) => config.append({ key, value: ' ' }, settings)],
  ['The device changes one path of boot/config', 'device', 'rbac/root-only', bootConfig,
    (config, settings, key) => config.setByJsonPath({ key, path: '/epoch', value: '0' }, settings)],
  ['A service removes boot/config beside an honest write', 'service', 'rbac/root-only', bootConfig,
    (config, settings, key, { value }) => config.execTx({
      actions: { [scratchKey]: { action: 'create', value }, [key]: { action: 'remove' } },
    }, settings)],
]

export const bootAttacks: readonly Attempt[] = rows.map((row) => writing('boot', row))
