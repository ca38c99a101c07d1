import { InvalidArgument } from '../../../runtime/errors.ts'
import { limits } from '../../../runtime/limits.ts'
import { fromBase64url } from '../../../runtime/trust/base64url.ts'
import { fingerprint, identityOf, verifyStatement, type DeviceStatement } from '../../join-protocol.ts'
import { oodProofHolds } from '../../join-ood-protocol.ts'
import { AGREEMENT_BYTES, sealUnsealKey } from '../../sealed-unseal-key.ts'
import type { Change } from '../barrier.ts'
import { certificatePem } from '../pki/authority-record.ts'
import { checkedRequest } from '../pki/issue.ts'
import type { Issued } from '../pki/keep.ts'
import type { Pki } from '../pki/pki.ts'
import { refused } from '../pki/refused.ts'
import { serialText } from '../pki/serials.ts'
import {
  JoinRefused, NotInVault, type JoinRefusal, type OodIssued, type OodRequest,
} from '../protocol.ts'
import type { OwnerWord } from './approval.ts'
import { joinPaths, StoredHost, type StoredToken } from './records.ts'
import type { FoundToken, JoinPorts, JoinTokens } from './tokens.ts'

export interface OodAsked {
  readonly token: string
  readonly host: string
  readonly csr: string
  readonly etcdCsr: string
  readonly agreement: string
  readonly device: string
  readonly proof: string
  readonly server: string
  readonly skewMs?: number | undefined
}

export interface OodJoins {
  /** @throws JoinRefused, CertificateRefused */
  enrol(asked: OodAsked): Promise<{ request: OodRequest; issued?: OodIssued }>
  /** Of which the owner has yet to hear, or which have yet to hear of the owner; oldest first. */
  requests(): Promise<readonly OodRequest[]>
  /** @throws JoinRefused, NotInVault */
  approve(host: string, document: string): Promise<OodRequest>
  /** @throws NotInVault */
  refuse(host: string, device: string, by: string): Promise<OodRequest>
}

interface OodPorts extends JoinPorts {
  readonly zone: string
  readonly tokens: JoinTokens
  readonly pki: Pki
  readonly etcd: Pki
  /** @throws JoinRefused */
  readonly owner: () => OwnerWord
  /** What opens this vault. */
  readonly unsealKey: () => string
}

type Request = NonNullable<StoredToken['request']>

/** Somebody was faster with this token: it is judged anew. */
class Overtaken extends Error {}

const refuse = (reason: JoinRefusal, message: string): Error => new JoinRefused(message, { reason })
const toldOf = ({ id, stored: { host, expiresAt } }: FoundToken, request: Request): OodRequest => {
  const { kid, device, at, document, approvedAt, refusedAt, refusedBy } = request
  return {
    host, token: id, expiresAt, device: kid, key: device, at,
    ...(document === undefined ? {} : { document }), ...(approvedAt === undefined ? {} : { approvedAt }),
    ...(refusedAt === undefined ? {} : { refusedAt }), ...(refusedBy === undefined ? {} : { refusedBy }),
  }
}

/** Hosts that become OODs: each waits for the owner's signature, which this vault checks by itself. */
export function createOodJoins(
  { barrier, keys, random, clock, zone, tokens, pki, etcd, owner, unsealKey }: OodPorts,
): OodJoins {
  const digest = (text: string): string => fingerprint(keys, new TextEncoder().encode(text))

  /** Who asks: the device that the statement names, which has signed this very request. */
  const deviceOf = (
    { host, device, proof, ...input }: OodAsked,
  ): { readonly statement: DeviceStatement; readonly kid: string } => {
    const verdict = verifyStatement(keys, device)
    if (!verdict.accepted) throw refuse('device', 'The statement of the device is not sound')
    const { payload: statement, kid } = verdict
    if (statement.zone !== zone || statement.name !== host || statement.role !== 'ood') {
      throw refuse('device', 'The statement of the device is for another zone, host or role')
    }
    if (!oodProofHolds(keys, statement.key, proof, input)) {
      throw refuse('proof', 'The device did not sign this request to this server')
    }
    if (fromBase64url(input.agreement)?.length !== AGREEMENT_BYTES) {
      throw refuse('proof', `The X25519 key has not ${AGREEMENT_BYTES} bytes`)
    }
    return { statement, kid }
  }

  /** What it asks to be certified: for the host and no more. @throws CertificateRefused */
  const checkNames = ({ host, csr, etcdCsr }: OodAsked): void => {
    const allowed = [identityOf(zone, 'ood', host), host, `${host}.${zone}`]
    for (const text of [csr, etcdCsr]) {
      const { request: { commonName = host, names } } = checkedRequest({ keys }, text)
      if (commonName === host && names.every(({ value }) => text === csr && allowed.includes(value))) continue
      throw refused('name', `The signing request names others than ${host}`)
    }
  }

  const sign = async (
    from: Pki, csr: string, { host, skewMs }: OodAsked, kid: string, beside?: Parameters<Pki['issuing']['sign']>[4],
  ): Promise<Issued> => {
    const isPki = from === pki
    const { role, builtIn, ...use } = await from.roles.read(isPki ? 'ood' : 'client')
    // This host is not the caller: who it is says the document that the owner signed
    const identity = { kind: 'ood', name: { is: host } } as const
    return from.issuing.sign(csr, {
      ...use, role: { ...role, use_csr_common_name: false, use_csr_sans: false },
      ...(builtIn ? { builtIn: isPki ? { ...builtIn, identity } : builtIn } : {}),
    }, {
      commonName: host, skewMs,
      names: isPki ? [{ type: 'dns', value: host }, { type: 'dns', value: `${host}.${zone}` }] : [],
    }, { holder: `device:${kid}` }, beside)
  }

  const demandFree = async (found: FoundToken, host: StoredHost | undefined): Promise<void> => {
    if (host === undefined) return
    if (host.revokedAt === undefined) {
      throw await tokens.refused(found, 'taken', 'A host has joined under this name, and was not revoked')
    }
    // Lines of the policy are given to a client device by its name, and were meant for that one
    if (host.role === 'client-device') {
      throw await tokens.refused(found, 'owned', 'A client device of this name was revoked: an OOD takes another name')
    }
    if (found.stored.createdAt > host.revokedAt) return
    throw await tokens.refused(found, 'revoked', 'The host was revoked after this join token was made')
  }

  /** The same bytes as the first time, while nothing of it was revoked. @throws JoinRefused */
  const again = async (
    found: FoundToken, { serial, chain, kid, ood }: NonNullable<StoredToken['used']>, host: StoredHost | undefined,
  ): Promise<OodIssued> => {
    const revoked = (what: string): Promise<Error> => tokens.refused(found, 'revoked', what)
    if (host?.kid !== kid || host.revokedAt !== undefined || host.document === undefined || !ood) {
      throw await revoked('This host was revoked since')
    }
    const [own, etcds] = [await pki.certificates.read(serial), await etcd.certificates.read(ood.etcd)]
    if ([own, etcds].some(({ stored }) => stored.revokedAt !== undefined)) {
      throw await revoked('Its certificate was revoked')
    }
    const { pem, notBefore, notAfter } = pki.certificates.told(own)
    const [{ roots }, { roots: etcdRoots }] = [await pki.authorities.fresh(), await etcd.authorities.fresh()]
    return {
      serial, certificate: pem, chain: [...chain], roots: [...roots], notBefore, notAfter, document: host.document,
      etcd: {
        certificate: etcd.certificates.told(etcds).pem, chain: [...ood.etcdChain], roots: [...etcdRoots],
        serial: ood.etcd,
      },
      unseal: ood.unseal, retried: true,
    }
  }

  const issue = async (
    asked: OodAsked, found: FoundToken, request: Request, host: Awaited<ReturnType<typeof hostOf>>,
  ): Promise<OodIssued> => {
    const { device: deviceKey, kid, csr, document = '' } = request
    const word = owner()
    word.demand(document, asked.host, deviceKey)
    // Of one that is made here, and after a crash nowhere else, nobody has the answer: etcd's is only in the inventory
    const etcds = await sign(etcd, asked.etcdCsr, asked, kid)
    const unseal = sealUnsealKey({ keys, random }, unsealKey(), fromBase64url(request.agreement)!, {
      zone, host: asked.host, from: word.device, to: kid,
    })
    const path = joinPaths.token(found.id)
    const hostPath = joinPaths.host(asked.host)
    const ood = { etcd: serialText(etcds.key), etcdChain: [...etcds.book.chain], unseal }
    const issued = await sign(pki, asked.csr, asked, kid, {
      guards: [{ key: path, modRevision: found.revision }, { key: hostPath, modRevision: host?.revision ?? 0 }],
      changes: ({ key, book, notAfter }): readonly Change[] => {
        const at = clock.now()
        const serial = serialText(key)
        const joined: StoredHost = {
          format: 1, device: deviceKey, kid, role: 'ood', serial, token: found.id, joinedAt: at, notAfter,
          etcd: ood.etcd, document,
        }
        const used = { at, device: deviceKey, kid, serial, csr, chain: [...book.chain], ood }
        return [{ path, value: { ...found.stored, used } }, { path: hostPath, value: joined }]
      },
      async stillHolds() {
        const now = await hostOf(asked.host)
        if ((await tokens.find(asked.token)).revision !== found.revision || now?.revision !== host?.revision) {
          throw new Overtaken('The join token was changed meanwhile')
        }
      },
    })
    const { key, der, book, notBefore, notAfter } = issued
    return {
      serial: serialText(key), certificate: certificatePem(der), chain: [...book.chain], roots: [...book.roots],
      notBefore, notAfter, document, unseal, retried: false,
      etcd: {
        certificate: certificatePem(etcds.der), chain: ood.etcdChain, roots: [...etcds.book.roots], serial: ood.etcd,
      },
    }
  }
  const hostOf = (host: string) => barrier.read(joinPaths.host(host), StoredHost)

  const enrolOnce = async (asked: OodAsked): Promise<{ request: OodRequest; issued?: OodIssued }> => {
    const found = await tokens.find(asked.token)
    tokens.demandGood(found, asked.host)
    await tokens.demandRole(found, 'ood')
    const { statement, kid } = deviceOf(asked)
    const { stored } = found
    const { agreement } = asked
    const [csr, etcdCsr] = [digest(asked.csr), digest(asked.etcdCsr)]
    const host = await hostOf(asked.host)
    const { request } = stored
    if (!request) {
      await demandFree(found, host?.value)
      checkNames(asked)
      const noted: Request = { at: clock.now(), device: statement.key, kid, csr, etcdCsr, agreement }
      const path = joinPaths.token(found.id)
      const kept = await barrier.commit(
        [{ key: path, modRevision: found.revision }], [{ path, value: { ...stored, request: noted } }])
      if (!kept) throw new Overtaken('The join token was changed meanwhile')
      return { request: toldOf(found, noted) }
    }
    if (request.kid !== kid) throw await tokens.refused(found, 'used', 'The join token was used by another device')
    if (request.csr !== csr || request.etcdCsr !== etcdCsr || request.agreement !== agreement) {
      throw await tokens.refused(found, 'used', 'The join token was used by this device for another request')
    }
    if (request.refusedAt !== undefined) throw refuse('refused', 'The owner has refused this host')
    if (stored.used) {
      return { request: toldOf(found, request), issued: await again(found, stored.used, host?.value) }
    }
    await demandFree(found, host?.value)
    if (request.document === undefined) return { request: toldOf(found, request) }
    return { request: toldOf(found, request), issued: await issue(asked, found, request, host) }
  }

  /** The one that waits under this name by this key. @throws NotInVault */
  const waiting = async (host: string, device: string): Promise<FoundToken> => {
    const found = (await tokens.all()).find(({ stored }) => stored.host === host && stored.request?.kid === device
      && isOpen(stored))
    if (found) return found
    throw new NotInVault(`No host waits under this name with this device key: ${host.slice(0, 80)}`)
  }
  const isOpen = ({ used, revokedAt, expiresAt }: StoredToken): boolean =>
    used === undefined && revokedAt === undefined && clock.now() < expiresAt

  const decide = async (
    found: FoundToken, next: (request: Request) => Request | undefined,
  ): Promise<OodRequest> => {
    const after = await tokens.change(found.id, (stored) => {
      if (!stored.request || !isOpen(stored)) throw new NotInVault('It waits no more')
      const request = next(stored.request)
      return request && { ...stored, request }
    })
    return toldOf(after, after.stored.request!)
  }

  return {
    async enrol(asked) {
      for (let attempt = 1; ; attempt++) {
        try {
          return await enrolOnce(asked)
        } catch (error) {
          if (!(error instanceof Overtaken) || attempt >= limits.vaultTransactionAttempts) throw error
        }
      }
    },
    async requests() {
      return (await tokens.all()).filter(({ stored }) => stored.request && isOpen(stored))
        .map((found) => toldOf(found, found.stored.request!)).toSorted((left, right) => left.at - right.at)
    },
    async approve(host, document) {
      const word = owner()
      const device = word.read(document)
      if (!device) throw new InvalidArgument('The owner key did not sign this document')
      const found = await waiting(host, keys.importJwk(device.key).kid)
      // The owner is told before anything says that it is one
      await demandFree(found, (await hostOf(host))?.value)
      return decide(found, (request) => {
        word.demand(document, host, request.device)
        if (request.refusedAt !== undefined) throw refuse('refused', 'The host was refused already')
        return request.document === undefined ? { ...request, document, approvedAt: clock.now() } : undefined
      })
    },
    async refuse(host, device, by) {
      return decide(await waiting(host, device), ({ document: _, approvedAt: __, ...request }) =>
        (request.refusedAt === undefined ? { ...request, refusedAt: clock.now(), refusedBy: by } : undefined))
    },
  }
}
