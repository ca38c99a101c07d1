import { limits } from '../../../../runtime/limits.ts'
import { encodePem } from '../../../../runtime/x509/pem.ts'
import { toBase64url } from '../../../../runtime/trust/base64url.ts'
import type { EngineResponse } from '../../engine.ts'
import type { OpenAuthority } from '../authority-record.ts'
import type { Pki } from '../pki.ts'
import { notInVault } from '../refused.ts'
import type { OpenList } from '../revocation-list.ts'
import { listPem } from '../revocation.ts'
import { readSerial, serialKey, serialText } from '../serials.ts'
import { rfc3339 } from './fields.ts'
import { trimmed } from './formats.ts'
import type { Call, Route } from './route.ts'

const encoder = new TextEncoder()

export const pemFile = (text: string): EngineResponse =>
  ({ raw: { contentType: 'application/pem-certificate-chain', body: encoder.encode(text) } })
export const derFile = (body: Uint8Array, contentType = 'application/pkix-cert'): EngineResponse =>
  ({ raw: { contentType, body } })
export const listFile = ({ der }: OpenList): EngineResponse => derFile(der, 'application/pkix-crl')

/** The authority that signs. @throws NotInVault */
export async function signerOf({ authorities, mount }: Pki): Promise<OpenAuthority> {
  const { signer } = await authorities.fresh()
  if (signer === undefined) throw notInVault('authority', mount)
  return signer
}

/** From the one that signs up to its root. */
const chainOf = async ({ authorities }: Pki): Promise<readonly string[]> => (await authorities.fresh()).upToRoot

/** The list of an authority, made anew where it is about to end. @throws NotInVault */
export async function listOf(pki: Pki, authority: OpenAuthority): Promise<OpenList> {
  await pki.revocation.refresh()
  const found = (await pki.revocation.lists()).find((one) => one.authority.id === authority.id)
  if (found === undefined) throw notInVault('revocation list', authority.id)
  return found.list
}
const ownList = async ({ pki }: Call): Promise<OpenList> => listOf(pki, await signerOf(pki))

const told = (pem: string): EngineResponse => ({ data: { certificate: trimmed(pem), revocation_time: 0 } })

async function certificate({ pki, at: [serial] }: Call): Promise<EngineResponse> {
  const { stored, key } = await pki.certificates.read(serial!)
  const { revokedAt } = stored
  return {
    data: {
      certificate: trimmed(encodePem('CERTIFICATE', stored.der)), serial_number: serialText(key),
      revocation_time: revokedAt === undefined ? 0 : revokedAt / 1_000,
      revocation_time_rfc3339: revokedAt === undefined ? '' : rfc3339(revokedAt),
      issuer_id: toBase64url(stored.authority),
    },
  }
}

/** All of them, as clients of Vault expect, up to a number that one answer can hold. */
async function allKeys({ pki, fields }: Call): Promise<EngineResponse> {
  const after = fields.text('after')
  const { keys, more } = await pki.certificates.keys(after && readSerial(after), limits.vaultCertificateKeys)
  if (keys.length === 0) throw notInVault('certificate', '(none)')
  return {
    data: { keys: keys.map(serialText) },
    ...(more ? { warnings: ['There are more: ask again with `after` of the last key'] } : {}),
  }
}

async function revokedKeys({ pki }: Call): Promise<EngineResponse> {
  const lists = await pki.revocation.lists()
  const keys = lists.flatMap(({ list }) => list.revoked.map(({ serial }) => serialText(serialKey(serial))))
  if (keys.length === 0) throw notInVault('revoked certificate', '(none)')
  return { data: { keys: keys.sort() } }
}

export const fetchRoutes: readonly Route[] = [
  { path: 'ca', open: true, on: { read: async ({ pki }) => derFile((await signerOf(pki)).certificate.raw) } },
  { path: 'ca/pem', open: true, on: { read: async ({ pki }) => pemFile((await signerOf(pki)).pem) } },
  { path: 'ca_chain', open: true, on: { read: async ({ pki }) => pemFile((await chainOf(pki)).join('')) } },
  {
    path: 'cert/ca', open: true,
    on: { read: async ({ pki }) => told((await signerOf(pki)).pem) },
  },
  {
    path: 'cert/ca_chain', open: true,
    on: {
      read: async ({ pki }) => {
        const chain = (await chainOf(pki)).map(trimmed)
        return { data: { certificate: chain.join('\n'), ca_chain: chain } }
      },
    },
  },
  {
    path: 'cert/crl', open: true,
    on: { read: async (call) => told(listPem(await ownList(call))) },
  },
  { path: 'cert/:', open: true, on: { read: certificate } },
  {
    path: 'cert/:/raw', open: true,
    on: { read: async ({ pki, at: [serial] }) => derFile((await pki.certificates.read(serial!)).stored.der) },
  },
  {
    path: 'cert/:/raw/pem', open: true,
    on: {
      read: async ({ pki, at: [serial] }) =>
        pemFile(encodePem('CERTIFICATE', (await pki.certificates.read(serial!)).stored.der)),
    },
  },
  { path: 'crl', open: true, on: { read: async (call) => listFile(await ownList(call)) } },
  { path: 'crl/pem', open: true, on: { read: async (call) => pemFile(listPem(await ownList(call))) } },
  {
    path: 'crl/rotate',
    on: {
      read: async ({ pki }) => {
        await pki.revocation.refresh(true)
        return { data: { success: true } }
      },
    },
  },
  { path: 'certs', on: { list: allKeys } },
  { path: 'certs/revoked', on: { list: revokedKeys } },
]
