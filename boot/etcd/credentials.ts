import type { Files, Platform } from '../../runtime/platform/ports.ts'
import type { EtcdCredentials } from '../../runtime/store/etcd.ts'
import type { ZoneConfig } from '../config.ts'
import { EtcdCertificateExpired, FolderDamaged, PemsMissing } from '../errors.ts'
import { certificatesIn, fault, type Wanted } from './certificates.ts'
import { endpointOf, etcdServerName, pems } from './names.ts'
import { readPair, type Pair } from './pair.ts'
import { wantedCertificates } from './wanted.ts'

export interface Credentials {
  readonly etcd: EtcdCredentials
  readonly serial: Uint8Array
  /** Epoch milliseconds. */
  readonly notBefore: number
  readonly notAfter: number
}

/** The certificate of this host for etcd, as it is wanted. */
export const clientOf = (config: ZoneConfig): Wanted =>
  wantedCertificates(config).find(({ names }) => names === pems.etcdClient)!

/**
 * What this host is known to etcd by, from its files.
 * @throws PemsMissing, EtcdCertificateExpired, FolderDamaged
 */
export async function readCredentials(platform: Platform, files: Files, config: ZoneConfig): Promise<Credentials> {
  const pair = await readPair(files, pems.etcdClient)
  const authority = await files.read(pems.etcdAuthority)
  const path = files.path(pems.etcdClient.certificate)
  if (!pair?.key || !authority) {
    throw new PemsMissing(`The config names etcd, and there is no certificate for it: ${path}`, {
      path, next: 'Make certificates first: gen pems, with the same --config',
    })
  }
  return credentialsOf(platform, config, { ...pair, key: pair.key }, new TextDecoder().decode(authority), path)
}

/** @throws EtcdCertificateExpired, FolderDamaged */
export function credentialsOf(
  platform: Platform, config: ZoneConfig, pair: Pair, authority: string, path: string,
): Credentials {
  const damaged = (what: string): Error => new FolderDamaged(`${path}: ${what}`, {
    path, next: 'Run `gen pems` again, or `recover etcd` where etcd cannot be reached',
  })
  const [leaf] = attempt(() => certificatesIn(pair.certificate)) ?? []
  if (!leaf) throw damaged('it is no certificate')
  const { serial, notBefore, notAfter } = leaf
  if (platform.clock.now() > notAfter) {
    throw new EtcdCertificateExpired(`The certificate of this host for etcd has ended: ${path}`, {
      path, notAfter, next: 'Run `recover etcd` with the same --config: it makes new ones without etcd',
    })
  }
  const why = fault(platform, pair, clientOf(config), [authority])
  // Half of its life is a reason to renew it, not to do without
  if (why !== undefined && !/half of its life/.test(why)) throw damaged(why)
  const isAddress = (config.etcd?.endpoints ?? []).some((url) => endpointOf(url).isAddress)
  return {
    etcd: {
      authority, certificate: pair.certificate, key: pair.key,
      ...(isAddress ? { serverName: etcdServerName(config.zone) } : {}),
    },
    serial, notBefore, notAfter,
  }
}

function attempt<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch {
    return undefined
  }
}
