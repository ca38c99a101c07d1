import { Overloaded } from '../../../runtime/errors.ts'
import { limits } from '../../../runtime/limits.ts'
import type { Pki } from '../pki/pki.ts'
import { readSerial } from '../pki/serials.ts'
import { NotInVault, type JoinedHost, type Registrar } from '../protocol.ts'
import { certificatesOfOod, revokeInBatches } from './of-host.ts'
import { joinPaths, StoredHost, isEnrolled } from './records.ts'
import { documentMaker, type Registering } from './register.ts'
import type { JoinPorts } from './tokens.ts'

export interface JoinedHosts {
  /** In the order of their names, behind `after`. */
  page(after: string | undefined, limit: number): Promise<{ hosts: readonly JoinedHost[]; more: boolean }>
  /** @throws NotInVault */
  read(host: string): Promise<JoinedHost>
  /** Its document, signed anew: for a host that joined before there were any, or whose document stands no more. */
  register(host: string, registrar: Registrar): Promise<JoinedHost>
  /** One transaction: all its certificates are revoked and it is nobody. A retry gets the first time. */
  revoke(host: string, by: string): Promise<JoinedHost>
}

type HostPorts = Pick<JoinPorts, 'barrier' | 'clock'> & Omit<Registering, 'clock'> & {
  readonly pki: Pki
  /** Of an OOD's certificate for etcd. */
  readonly etcd?: Pki | undefined
}

export function createJoinedHosts({ barrier, clock, zone, signer, pki, etcd }: HostPorts): JoinedHosts {
  const find = async (host: string) => {
    const found = await barrier.read(joinPaths.host(host), StoredHost)
    if (!found) throw new NotInVault(`No host of this name has joined: ${host.slice(0, 80)}`)
    return found
  }
  /** Who revoked only the certificate has revoked the host: it gets no other. */
  const isCertificateRevoked = async ({ serial }: StoredHost): Promise<boolean> => {
    const key = readSerial(serial)
    const found = key === undefined ? undefined : await pki.certificates.find(key)
    return found?.stored.revokedAt !== undefined
  }
  const change = async (
    host: string, next: (stored: StoredHost, commit: Commit) => Promise<StoredHost | undefined>,
  ): Promise<JoinedHost> => {
    const path = joinPaths.host(host)
    for (let attempt = 0; attempt < limits.vaultTransactionAttempts; attempt++) {
      const { value, revision } = await find(host)
      const done = await next(value, (changed) => ({
        guards: [{ key: path, modRevision: revision }], changes: [{ path, value: changed }],
      }))
      if (done) return told(host, done)
    }
    throw new Overloaded(`Too many writers of one host; attempts: ${limits.vaultTransactionAttempts}`)
  }
  /** An OOD gets certificates by its own vault, which no record names: it had all of the zone, and loses all. */
  const revokeOod = async (host: string, { kid }: StoredHost): Promise<void> => {
    for (const mount of etcd === undefined ? [pki] : [pki, etcd]) {
      await revokeInBatches(mount, await certificatesOfOod(mount, { zone, host, kid }, clock.now()), REASON)
    }
  }
  const revokeRecorded = (host: string, by: string): Promise<JoinedHost> => change(host, async (stored, commit) => {
    if (stored.revokedAt !== undefined) return stored
    const revoked = { ...stored, revokedAt: clock.now(), revokedBy: by }
    const serials = [...stored.earlier ?? [], stored].map(({ serial }) => serial)
    // Whoever looks at a host asks for this record; an OOD is looked at by lists alone
    const unlisted = stored.role !== 'ood'
    return await pki.revocation.revokeAll(serials, REASON, commit(revoked), unlisted) ? revoked : undefined
  })
  const revoke = async (host: string, by: string): Promise<JoinedHost> => {
    const revoked = await revokeRecorded(host, by)
    // From here on it gets no more; a crash before the rest is made good when this is asked again
    if (revoked.role === 'ood') await revokeOod(host, (await find(host)).value)
    return revoked
  }

  return {
    revoke,
    async page(after, limit) {
      const { paths, more } = await barrier.list(joinPaths.hosts, {
        limit, ...(after === undefined ? {} : { after: joinPaths.host(after) }),
      })
      const hosts: JoinedHost[] = []
      for (const path of paths) {
        const host = path.slice(joinPaths.hosts.length)
        const found = await barrier.read(path, StoredHost)
        if (!found) continue
        const { value } = found
        const isOver = value.revokedAt === undefined && await isCertificateRevoked(value)
        hosts.push(isOver ? await revoke(host, 'its certificate was revoked') : told(host, value))
      }
      return { hosts, more }
    },
    read: async (host) => told(host, (await find(host)).value),
    register: (host, registrar) => change(host, async (stored, commit) => {
      // An OOD is what the owner signed
      if (stored.revokedAt !== undefined || !isEnrolled(stored)) return stored
      const document = (await documentMaker({ zone, clock, signer }, registrar, stored))(host, stored.device)
      const registered: StoredHost = { ...stored, ...(document === undefined ? {} : { document }) }
      const { guards, changes } = commit(registered)
      return await barrier.commit(guards, changes) ? registered : undefined
    }),
  }
}

const REASON = 'cessationOfOperation'

type Commit = (changed: StoredHost) => {
  readonly guards: readonly { readonly key: string; readonly modRevision: number }[]
  readonly changes: readonly { readonly path: string; readonly value: StoredHost }[]
}

function told(host: string, stored: StoredHost): JoinedHost {
  const { role, kid, serial, token, joinedAt, notAfter, document, revokedAt, revokedBy, earlier = [] } = stored
  return {
    host, role, device: kid, serial, token, joinedAt, serials: [...earlier.map((one) => one.serial), serial],
    ...(notAfter === undefined ? {} : { notAfter }), ...(document === undefined ? {} : { document }),
    ...(revokedAt === undefined ? {} : { revokedAt }), ...(revokedBy === undefined ? {} : { revokedBy }),
  }
}
