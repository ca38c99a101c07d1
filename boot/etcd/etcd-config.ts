import type { ZoneConfig } from '../config.ts'
import { ConfigInvalid } from '../errors.ts'

/** What the config says of etcd, for who needs it. @throws ConfigInvalid when it names none, or without TLS */
export function etcdOf({ etcd, tls }: ZoneConfig, path: string): { endpoints: readonly string[]; prefix: string } {
  if (!etcd) {
    throw new ConfigInvalid(`${path}: xline_config is missing: which etcd is it for?`, {
      path, next: 'Name its members: xline_config: { endpoints: [https://etcd1.example:2379] }',
    })
  }
  if (!tls.enable) {
    throw new ConfigInvalid(`${path}: tls_config.enable is not true: without it nothing uses certificates of etcd`, {
      path, next: 'Say tls_config: { enable: true }',
    })
  }
  return etcd
}
