import { defineError, ZonewrightError } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import type { Clock, Keys } from '../../runtime/platform/ports.ts'
import type { CallSettings, Client } from '../../runtime/protocol.ts'
import { parseCertificate, type Certificate } from '../../runtime/x509/certificate.ts'
import { parseRevocationList, type RevocationList } from '../../runtime/x509/crl.ts'
import { decodePem } from '../../runtime/x509/pem.ts'
import { serialText } from '../../runtime/x509/serial.ts'
import { verifyChain } from '../../runtime/x509/verify-chain.ts'
import { isName } from '../records.ts'
import type { Authority, Vault } from '../vault/protocol.ts'
import { countingOf, type Counted } from './counting.ts'

/** The connection shows no certificate of the zone that is good now. `details.reason` says what is wrong. */
export const HostCertificateNeeded = defineError('HostCertificateNeeded')

/** A host, by the certificate of its connection. */
export interface KnownHost {
  readonly name: string
  readonly role: string
  readonly serial: string
  readonly notAfter: number
}

/** What the listener goes by: authorities and revocation lists of the zone, as they were a moment ago. */
export interface ZoneTrust {
  /** PEM of the roots that hold. */
  readonly roots: readonly string[]
  /** Grows when anything of authorities or revocation lists has changed. */
  readonly version: number
  /** As they are now, if the vault says so; else as they were. */
  refresh(): Promise<void>
  /** What it says of itself, and no more: TLS has seen that it ends at a root. */
  nameOf(certificate: Uint8Array): string | undefined
  /** @throws HostCertificateNeeded */
  hostOf(certificate: Uint8Array | undefined): Promise<KnownHost>
  readonly noting: Counted['noting']
}

interface Known {
  readonly atMs: number
  /** What it was read from. */
  readonly text: string
  readonly pems: readonly string[]
  readonly roots: readonly Certificate[]
  readonly intermediates: readonly Certificate[]
  readonly lists: readonly RevocationList[]
}

export interface TrustPorts {
  readonly zone: string
  readonly clock: Clock
  readonly keys: Keys
  readonly vault: Pick<Client<typeof Vault>, 'authorities' | 'crl' | 'joinedHost'>
  readonly onRoots: (roots: readonly string[]) => void
  readonly warn: (message: string) => void
}

const IDENTITY = /^spiffe:\/\/([^/]+)\/([a-z-]+)\/([^/]+)$/

/** The first look has to succeed. @throws what the vault answered */
export async function openTrust({ zone, clock, keys, vault, onRoots, warn }: TrustPorts): Promise<ZoneTrust> {
  const look = async (before?: Known, settings?: CallSettings): Promise<Known> => {
    const asked = { mount: 'pki' }
    const [authorities, lists] = await Promise.all([vault.authorities(asked, settings), vault.crl(asked, settings)])
    const pemsOf = (all: readonly { readonly pem: string }[]): readonly string[] => all.map(({ pem }) => pem)
    const states = authorities.map(({ kind, state }) => [kind, state])
    const text = JSON.stringify([states, pemsOf(authorities), pemsOf(lists)])
    // Lists may be long
    if (before?.text === text) return { ...before, atMs: clock.monotonic() }
    const pems = rootsOf(authorities)
    const parsed = (kind: Authority['kind']): readonly Certificate[] => authorities
      .filter((one) => one.kind === kind && one.state !== 'revoked')
      .map(({ pem }) => parseCertificate(decodePem(pem, 'CERTIFICATE')))
    return {
      atMs: clock.monotonic(), text, pems, roots: parsed('root'), intermediates: parsed('intermediate'),
      lists: lists.map(({ pem }) => parseRevocationList(decodePem(pem, 'X509 CRL'))),
    }
  }
  let known = await look()
  let version = 1
  let looking: Promise<void> | undefined
  /** When a look last ended, however. */
  let lookedMs = known.atMs
  const refresh = (): Promise<void> => {
    looking ??= look(known, { withinMs: limits.enrolmentListsMs }).then((next) => {
      const changed = next.pems.join() !== known.pems.join()
      if (next.text !== known.text) version++
      known = next
      if (changed) onRoots(next.pems)
      // Sealed or restarting: the lists that we have hold until they end
    }, (error: Error) => warn(`The revocation lists could not be read: ${error.message}`))
      .finally(() => {
        looking = undefined
        lookedMs = clock.monotonic()
      })
    return looking
  }
  const needed = (reason: string, message: string): Error => new HostCertificateNeeded(message, { reason })
  const counting = countingOf({ clock, vault })

  return {
    get roots() { return known.pems },
    get version() { return version },
    refresh, noting: counting.noting,
    nameOf(der) {
      try {
        const named = identityIn(parseCertificate(der), zone)
        return named && `${named.role} ${named.name}`
      } catch {
        return undefined
      }
    },
    async hostOf(der) {
      if (!der) throw needed('none', 'The connection shows no certificate of this zone that is valid now')
      // While the vault is away not each of many hosts waits for it
      const isDue = (sinceMs: number): boolean => clock.monotonic() - sinceMs >= limits.enrolmentCrlMs
      if (isDue(known.atMs) && (looking || isDue(lookedMs))) await refresh()
      const leaf = parsedLeaf(der, needed)
      const { roots, intermediates, lists } = known
      try {
        verifyChain({
          leaf, intermediates, roots, at: clock.now(), keys: keys.certificates, purpose: 'clientAuth',
          revocationLists: lists,
        })
      } catch (error) {
        const reason = error instanceof ZonewrightError ? String(error.details['reason'] ?? error.code) : 'distrusted'
        throw needed(reason, `The certificate of the connection is not good: ${reason}`)
      }
      const named = identityIn(leaf, zone)
      if (!named) throw needed('identity', 'The certificate of the connection is of no host of this zone')
      const { name, role } = named
      const serial = serialText(leaf.serial)
      const fault = await counting.faultOf(name, role, serial)
      if (fault) throw needed(fault, `The certificate of the connection counts no more: ${fault}`)
      return { name, role, serial, notAfter: leaf.notAfter }
    },
  }
}

function identityIn({ extensions }: Certificate, zone: string): Pick<KnownHost, 'name' | 'role'> | undefined {
  const uris = (extensions.names ?? []).filter(({ type }) => type === 'uri')
  const [, of, role = '', name = ''] = (uris.length === 1 && IDENTITY.exec(uris[0]!.value)) || []
  const isHost = of === zone && ['node', 'ood', 'client-device'].includes(role) && isName(name)
  return isHost ? { name, role } : undefined
}

export const rootsOf = (authorities: readonly Authority[]): readonly string[] =>
  authorities.filter(({ kind, state }) => kind === 'root' && state !== 'revoked').map(({ pem }) => pem)

function parsedLeaf(der: Uint8Array, needed: (reason: string, message: string) => Error): Certificate {
  try {
    return parseCertificate(der)
  } catch {
    throw needed('malformed', 'The certificate of the connection cannot be read')
  }
}
