/** Hosts that ask to be OODs, on one store in memory: with the owner's word, and without what is between. */
import { deviceDocumentType, enrolmentCertificateType, type DeviceDocument } from '../../actors/records.ts'
import { signStatement } from '../../actors/join-protocol.ts'
import { signOodProof } from '../../actors/join-ood-protocol.ts'
import { barrierView } from '../../actors/vault/barrier.ts'
import { ownerWordOf } from '../../actors/vault/join/approval.ts'
import { createJoinedHosts } from '../../actors/vault/join/hosts.ts'
import { createOodJoins, type OodAsked, type OodJoins } from '../../actors/vault/join/ood.ts'
import { createPki, type Pki } from '../../actors/vault/pki/pki.ts'
import { zoneDocumentType } from '../../actors/zone-document.ts'
import type { Agreement, PublicJwk, SigningKey } from '../../runtime/platform/ports.ts'
import { toBase64url } from '../../runtime/trust/base64url.ts'
import { signDocument } from '../../runtime/trust/keys.ts'
import { csrFor, joinable, SERVER, type Vaulted } from './join-fixture.ts'
import { keys, random, ZONE } from './pki-fixture.ts'

export const UNSEAL_KEY = toBase64url(random.bytes(32))

export interface OodVault extends Vaulted {
  readonly owner: SigningKey
  /** Documents of the OOD that is there, as its vault has them. */
  readonly given: { readonly zone: string; readonly device: string }
  /** What the enrolment key stands by. */
  readonly standing: { readonly ood: string; readonly certificate: string }
  readonly etcd: Pki
  readonly oods: OodJoins
  token(host?: string, more?: object): Promise<string>
  document(key: PublicJwk, changes?: Partial<DeviceDocument>, signer?: SigningKey): string
}

export async function oodVault(): Promise<OodVault> {
  const [ownerKey, first] = [keys.generate(random), keys.generate(random)]
  const made = await joinable()
  const { barrier, clock, tokens, pki } = made
  const etcd = createPki({
    mount: 'pki-etcd', zone: ZONE, anchor: async () => made.anchor,
    ports: { barrier: barrierView(barrier, 'pki-etcd/'), keys, random, clock },
  })
  await etcd.rotation.ensure()
  const document: OodVault['document'] = (key, changes = {}, signer = ownerKey) =>
    signDocument(signer, deviceDocumentType, {
      zone: ZONE, name: 'ood2', role: 'ood', key, owner: 'alice', iat: 1, ...changes,
    })
  const given = {
    zone: signDocument(ownerKey, zoneDocumentType, {
      zone: ZONE, owner: 'alice', root: ownerKey.public.jwk, host: 'ood1', epoch: 0, iat: 1,
    }),
    device: document(first.public.jwk, { name: 'ood1' }),
  }
  const { public: { jwk: key } } = await made.signer()
  const certificate = signDocument(first, enrolmentCertificateType, { zone: ZONE, host: 'ood1', key, iat: 1 })
  const owner = () => ownerWordOf(keys, ZONE, given)
  return {
    ...made, owner: ownerKey, given, document, etcd, standing: { ood: given.device, certificate },
    hosts: createJoinedHosts({ barrier, clock, zone: ZONE, signer: made.signer, pki, etcd }),
    oods: createOodJoins({
      barrier, keys, random, clock, zone: ZONE, tokens, pki, etcd, owner, unsealKey: () => UNSEAL_KEY,
    }),
    token: async (host = 'ood2', more = {}) =>
      (await tokens.create({ host, role: 'ood', by: 'owner', ...more })).token,
  }
}

export interface Wanting {
  readonly by: SigningKey
  readonly agreement: Agreement
  readonly asked: OodAsked
}

type Changes = Partial<OodAsked> & { readonly role?: 'node' | 'ood'; readonly name?: string; readonly zone?: string }

/** As a host makes it. What is changed is signed, unless it is the proof. */
export async function wanting(token: string, changes: Changes = {}, by = keys.generate(random)): Promise<Wanting> {
  const { role = 'ood', zone = ZONE, host = 'ood2', name = host, ...rest } = changes
  const agreement = keys.agreement(random)
  const own = {
    token, csr: await csrFor(host), etcdCsr: await csrFor(host), agreement: toBase64url(agreement.publicKey),
    server: SERVER, ...rest,
  }
  const device = signStatement(by, { zone, name, role, key: by.public.jwk, iat: 0 })
  return { by, agreement, asked: { ...own, host, device, proof: rest.proof ?? signOodProof(keys, by, own) } }
}
