import { INIT_ENV, INIT_SEQUENCE, initStep } from '../../init-steps.ts'
import { isHostname } from '../../../runtime/x509/alternative-names.ts'
import { REACHED_AT, type Authority, type CertificateRecord, type IssuedCertificate } from '../protocol.ts'
import { barrierView } from '../barrier.ts'
import { perUnseal, type Unsealed } from '../core.ts'
import type { Engine, EnginePorts } from '../engine.ts'
import { whileUnrevoked } from '../join/of-host.ts'
import { noResource, type Area, type VaultHandlers } from '../guarded.ts'
import { certificatePem, told } from './authority-record.ts'
import type { Book } from './book.ts'
import { zoneMounts } from './built-in.ts'
import { pkiEngine } from './http/engine.ts'
import type { Issued } from './keep.ts'
import { createPki, type Pki } from './pki.ts'
import { notInVault } from './refused.ts'
import { listPem } from './revocation.ts'
import { serialText } from './serials.ts'

export type PkiMethods = 'ensureAuthorities' | 'authorities' | 'stepAuthority' | 'signCertificate' | 'certificates'
  | 'certificate' | 'revokeCertificate' | 'crl' | 'tidyCertificates' | 'roots'

export const anchorKey = 'anchor'

/** The mounts of the zone, by name, as they are while the vault is open. */
export function zonePki({ start, core }: Pick<Area, 'start' | 'core'>): (vault: Unsealed) => ReadonlyMap<string, Pki> {
  const { keys, random, clock } = core.ports
  const { env, self: { zone } } = start
  const reachedAt = (env[REACHED_AT] ?? '').toLowerCase()
  const hostnames = isHostname(reachedAt) ? [reachedAt] : []
  return perUnseal(({ barrier, namedKeys }) => new Map(Object.keys(zoneMounts).map((mount) => [mount, createPki({
    mount, zone, hostnames, anchor: () => namedKeys.signing(anchorKey),
    ports: { barrier: barrierView(barrier, `${mount}/`), keys, random, clock },
  })])))
}

/** Makes the engine of a mount of type `pki`, at `path` with a slash at its end, for the HTTP API. */
export const pkiEngineAt = ({ start }: Pick<Area, 'start'>) =>
  ({ path }: { readonly path: string }, ports: EnginePorts, { namedKeys }: Unsealed): Engine =>
    pkiEngine(createPki({
      mount: path.replace(/\/$/, ''), zone: start.self.zone, ports, anchor: () => namedKeys.signing(anchorKey),
    }))

/** What the link's methods do with the mounts of the zone. */
export function pkiHandlers(
  { start, core, guarded }: Area, mountsOf = zonePki({ start, core }),
): Pick<VaultHandlers, PkiMethods> {
  const { log } = start
  const at = (vault: Unsealed, mount: string): Pki => {
    const pki = mountsOf(vault).get(mount)
    if (pki === undefined) throw notInVault('mount of certificates', mount)
    return pki
  }
  const ofMount = ({ mount }: { readonly mount: string }): string => mount
  return {
    ensureAuthorities: guarded.open('ensureAuthorities', noResource, async (_, { vault, note }) => {
      const made: Authority[] = []
      for (const pki of mountsOf(vault).values()) made.push(...authoritiesOf(pki, await pki.rotation.ensure()))
      note({ authorities: made.length })
      if (start.env[INIT_ENV] === 'pems') {
        const [root, etcd] = Object.keys(zoneMounts).map((mount) => made.findLast((each) => each.mount === mount
          && each.kind === 'root' && each.state === 'active')?.serial ?? '')
        start.step(INIT_SEQUENCE, initStep.authoritiesAsked, { root: root!, etcd: etcd!, vaultId: vault.vaultId })
      }
      return made
    }),
    authorities: guarded.open('authorities', ofMount, async ({ mount }, { vault }) => {
      const pki = at(vault, mount)
      return authoritiesOf(pki, await pki.authorities.fresh())
    }),
    stepAuthority: guarded.open('stepAuthority', ofMount, async ({ mount, step, id, force }, { vault, note }) => {
      const pki = at(vault, mount)
      const after = authoritiesOf(pki, await pki.rotation.step(step, id, force))
      note({ step, ...(id === undefined ? {} : { id }) })
      log.info('A step of the rotation of an authority', { mount, step })
      return after
    }),
    signCertificate: guarded.open('signCertificate', ({ mount, role }) => `${mount}/${role}`, async (
      { mount, role, csr, commonName, dns = [], ip = [], uri = [], ttl, skewMs }, { vault, peer, audit },
    ) => {
      const pki = at(vault, mount)
      const beside = await whileUnrevoked(vault.barrier, peer.host)
      const issued = await pki.issuing.sign(csr, await pki.roles.read(role), {
        commonName, ttl, skewMs,
        names: [
          ...dns.map((value) => ({ type: 'dns', value }) as const),
          ...ip.map((value) => ({ type: 'ip', value }) as const),
          ...uri.map((value) => ({ type: 'uri', value }) as const),
        ],
      }, { holder: `${peer.actor}@${peer.host}`, peer, onMade: (serial) => void audit({ serial }) }, beside)
      return answerOf(issued)
    }),
    certificates: guarded.open('certificates', ofMount, async ({ mount, after, limit }, { vault }) => {
      const { certificates, more } = await at(vault, mount).certificates.page(after, limit)
      return { certificates: [...certificates], more }
    }),
    certificate: guarded.open('certificate', ofMount, async ({ mount, serial }, { vault }) => {
      const { certificates } = at(vault, mount)
      return certificates.told(await certificates.read(serial)) as CertificateRecord & { pem: string }
    }),
    revokeCertificate: guarded.open('revokeCertificate', ofMount, async (
      { mount, serial, reason }, { vault, note },
    ) => {
      const revoked = await at(vault, mount).revocation.revoke(serial, reason)
      note({ serial, revokedAt: revoked.revokedAt })
      log.info('A certificate was revoked', { mount, serial })
      return revoked
    }),
    crl: guarded.open('crl', ofMount, async ({ mount }, { vault }) => {
      const { revocation } = at(vault, mount)
      await revocation.refresh()
      return (await revocation.lists()).map(({ authority, list }) => ({
        authority: authority.id, number: list.number, nextUpdate: list.nextUpdate, pem: listPem(list),
      }))
    }),
    tidyCertificates: guarded.open('tidyCertificates', ofMount, async ({ mount, safetyMs }, { vault, note }) => {
      const { removed, left } = await at(vault, mount).tidy(safetyMs)
      note({ removed, left })
      if (removed > 0) log.info('Certificates that have ended were forgotten', { mount, removed, left })
      return { removed, left }
    }),
    roots: guarded.open('roots', noResource, (_, { vault }) => at(vault, 'pki').roots()),
  }
}

const authoritiesOf = ({ mount }: Pki, { authorities }: Book): Authority[] =>
  authorities.map((authority) => told(mount, authority))

/** What the link answers with. */
export const answerOf = ({ key, der, book, notBefore, notAfter }: Issued): IssuedCertificate => ({
  serial: serialText(key), certificate: certificatePem(der), chain: [...book.chain], roots: [...book.roots],
  notBefore, notAfter,
})
