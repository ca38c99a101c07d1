import { InvalidArgument } from '../../../../runtime/errors.ts'
import type { EngineResponse } from '../../engine.ts'
import type { OpenAuthority } from '../authority-record.ts'
import type { Book } from '../book.ts'
import { notInVault } from '../refused.ts'
import { listPem } from '../revocation.ts'
import { serialText } from '../serials.ts'
import { derFile, listFile, listOf, pemFile } from './fetch.ts'
import { trimmed } from './formats.ts'
import type { Call, Route } from './route.ts'

/** By its id, or as `default`: the one that signs. */
async function issuerOf({ pki, at: [reference] }: Call): Promise<{ authority: OpenAuthority; book: Book }> {
  const book = await pki.authorities.fresh()
  const authority = reference === 'default' ? book.signer : book.authorities.find(({ id }) => id === reference)
  if (authority === undefined) throw notInVault('issuer', reference!.slice(0, 64))
  return { authority, book }
}

function issuerAnswer({ authority, book }: { authority: OpenAuthority; book: Book }): EngineResponse {
  const { id, pem, state, stored: { overEnd, signedBy, above } } = authority
  const root = book.authorities.find((one) => one.id === signedBy && one.id !== id)
  return {
    data: {
      issuer_id: id, issuer_name: '', key_id: authority.key === undefined ? '' : id,
      certificate: trimmed(pem), ca_chain: [pem, ...(root ? [root.pem] : [])].map(trimmed),
      manual_chain: above.length > 0 ? above : null, leaf_not_after_behavior: overEnd,
      usage: state === 'active' ? 'crl-signing,issuing-certificates,read-only' : 'crl-signing,read-only',
      revoked: state === 'revoked', serial_number: serialText(authority.serial), state,
    },
  }
}

async function list({ pki }: Call): Promise<EngineResponse> {
  const { authorities, signer } = await pki.authorities.fresh()
  if (authorities.length === 0) throw notInVault('issuer', '(none)')
  return {
    data: {
      keys: authorities.map(({ id }) => id),
      key_info: Object.fromEntries(authorities.map((one) => [one.id, {
        is_default: one === signer, issuer_name: '', key_id: one.key === undefined ? '' : one.id,
        serial_number: serialText(one.serial),
      }])),
    },
  }
}

/** What it does with a certificate that would outlive it. */
async function change(call: Call): Promise<EngineResponse> {
  const { authority } = await issuerOf(call)
  const overEnd = call.fields.choice('leaf_not_after_behavior', ['err', 'truncate', 'permit'])
  // A certificate that outlives its authority is one that no reader accepts
  if (overEnd === 'permit') throw new InvalidArgument('leaf_not_after_behavior must be one of err, truncate')
  const book = await call.pki.authorities.change(({ authorities }) => ({
    authorities: authorities.map(({ stored }) => (stored.id === authority.id ? { ...stored, overEnd } : stored)),
  }))
  return issuerAnswer({ authority: book.authorities.find(({ id }) => id === authority.id) ?? authority, book })
}

const own = async (call: Call) => listOf(call.pki, (await issuerOf(call)).authority)

export const issuerRoutes: readonly Route[] = [
  { path: 'issuers', open: true, on: { list } },
  { path: 'issuer/:', on: { read: async (call) => issuerAnswer(await issuerOf(call)), write: change, patch: change } },
  { path: 'issuer/:/json', open: true, on: { read: async (call) => issuerAnswer(await issuerOf(call)) } },
  {
    path: 'issuer/:/der', open: true,
    on: { read: async (call) => derFile((await issuerOf(call)).authority.certificate.raw) },
  },
  { path: 'issuer/:/pem', open: true, on: { read: async (call) => pemFile((await issuerOf(call)).authority.pem) } },
  {
    path: 'issuer/:/crl', open: true,
    on: { read: async (call) => ({ data: { crl: trimmed(listPem(await own(call))) } }) },
  },
  { path: 'issuer/:/crl/der', open: true, on: { read: async (call) => listFile(await own(call)) } },
  { path: 'issuer/:/crl/pem', open: true, on: { read: async (call) => pemFile(listPem(await own(call))) } },
  {
    path: 'config/issuers',
    on: { read: async ({ pki }) => ({ data: { default: (await pki.authorities.fresh()).signer?.id ?? '' } }) },
  },
  {
    path: 'keys',
    on: {
      list: async ({ pki }) => {
        const held = (await pki.authorities.fresh()).authorities.filter(({ key }) => key !== undefined)
        if (held.length === 0) throw notInVault('key', '(none)')
        return {
          data: {
            keys: held.map(({ id }) => id),
            key_info: Object.fromEntries(held.map(({ id, stored }) => [id, {
              is_default: stored.state === 'active', key_name: '',
            }])),
          },
        }
      },
    },
  },
  {
    path: 'key/:',
    on: {
      read: async (call) => {
        const { authority: { id, key } } = await issuerOf(call)
        if (key === undefined) throw notInVault('key', id)
        return { data: { key_id: id, key_name: '', key_type: key.public.type.split('-')[0]! } }
      },
    },
  },
]
