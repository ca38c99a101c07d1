import type { Vault } from '../../actors/vault/protocol.ts'
import { messageOf } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import type { Cancel, Files, Platform } from '../../runtime/platform/ports.ts'
import type { Client } from '../../runtime/protocol.ts'
import { fraction } from '../../runtime/restart.ts'
import type { EtcdCredentials } from '../../runtime/store/etcd.ts'
import type { LogEvent } from '../../runtime/trace.ts'
import { serialText } from '../../runtime/x509/serial.ts'
import type { ZoneConfig } from '../config.ts'
import { askFor, certificatesIn } from './certificates.ts'
import { clientOf, credentialsOf, readCredentials } from './credentials.ts'
import { pems } from './names.ts'
import { writePair } from './pair.ts'
import { putFile } from './put.ts'
import { wantedCertificates } from './wanted.ts'

export interface RenewalOptions {
  readonly platform: Platform
  readonly files: Files
  readonly config: ZoneConfig
  /** Asked for at each renewal: the vault may have been restarted. */
  readonly vault: () => Pick<Client<typeof Vault>, 'signCertificate' | 'sealAuthority'>
  /** Gives the new credentials to whatever speaks to etcd now. */
  readonly swap: (credentials: EtcdCredentials) => Promise<void>
  readonly log: (level: LogEvent['level'], message: string, fields: LogEvent['fields']) => void
}

/**
 * Keeps this host known to etcd: a new certificate at a random point between 50 and 80 % of the life of the one before,
 * durable before it is used, and used before the old one ends. Warns of members whose certificates are for people to
 * renew.
 */
export class EtcdRenewal {
  readonly #options: RenewalOptions
  #cancel: Cancel = () => {}
  #ended = false
  /** Of which certificate `#share` was drawn. */
  #serial = ''
  #share = 0.5
  /** On the disk, and not yet with everybody who speaks to etcd. */
  #unswapped: EtcdCredentials | undefined
  readonly #warned = new Set<string>()
  #running: Promise<void> = Promise.resolve()

  constructor(options: RenewalOptions) {
    this.#options = options
    this.#look()
  }

  /** Settles when nothing is under way. */
  settled(): Promise<void> {
    return this.#running
  }

  /** What is under way is finished first. */
  async close(): Promise<void> {
    this.#ended = true
    this.#cancel()
    await this.settled()
  }

  #look(): void {
    this.#running = this.#once().then((waitMs) => {
      if (!this.#ended) this.#cancel = this.#options.platform.clock.after(waitMs, () => this.#look())
    })
  }

  /** @returns milliseconds until the next look */
  async #once(): Promise<number> {
    const { platform, files, config, log } = this.#options
    try {
      await this.#swap()
      await this.#warnOfMembers()
      const { serial, notBefore, notAfter } = await readCredentials(platform, files, config)
      const dueMs = notBefore + (notAfter - notBefore) * this.#shareOf(serialText(serial)) - platform.clock.now()
      if (dueMs > 0) return Math.min(dueMs, limits.etcdRenewalCheckMs)
      await this.#renew()
      return limits.etcdRenewalCheckMs
    } catch (error) {
      log('warn', 'The certificate of this host for etcd was not renewed; it is tried again', {
        reason: messageOf(error), retryMs: limits.etcdRenewalRetryMs,
      })
      return limits.etcdRenewalRetryMs
    }
  }

  #shareOf(serial: string): number {
    if (serial !== this.#serial) {
      this.#serial = serial
      this.#share = 0.5 + 0.3 * fraction(this.#options.platform.random.fork(`renewal of ${serial}`))
    }
    return this.#share
  }

  async #renew(): Promise<void> {
    const { platform, files, config, vault, log } = this.#options
    const pair = await askFor(platform, vault(), clientOf(config))
    const authority = new TextDecoder().decode(await files.read(pems.etcdAuthority))
    const path = files.path(pems.etcdClient.certificate)
    // Before it replaces the one that works
    const { etcd, serial, notAfter } = credentialsOf(platform, config, pair, authority, path)
    await writePair(files, pems.etcdClient, pair)
    this.#unswapped = etcd
    await this.#swap()
    await putFile(files, pems.etcdSealed, (await vault().sealAuthority({ mount: 'pki-etcd' })).sealed, 0o600)
    log('info', 'The certificate of this host for etcd was renewed', { serial: serialText(serial), notAfter })
  }

  async #swap(): Promise<void> {
    if (!this.#unswapped) return
    await this.#options.swap(this.#unswapped)
    this.#unswapped = undefined
  }

  /** Once for each certificate: its member is another machine, and its key is there. */
  async #warnOfMembers(): Promise<void> {
    const { platform: { clock }, files, config, log } = this.#options
    for (const { names, member } of wantedCertificates(config)) {
      const bytes = member && await files.read(names.certificate)
      if (!bytes) continue
      const [leaf] = certificatesIn(new TextDecoder().decode(bytes))
      if (!leaf || clock.now() < leaf.notBefore + (leaf.notAfter - leaf.notBefore) / 2) continue
      const serial = serialText(leaf.serial)
      if (this.#warned.has(serial)) continue
      this.#warned.add(serial)
      log('warn', 'The certificate of a member of etcd is past half of its life: run `gen pems --renew`, and copy it', {
        member: member!.url, serial, notAfter: leaf.notAfter,
      })
    }
  }
}
