import { InvalidArgument } from '../../../../runtime/errors.ts'
import type { CertificateKeyType } from '../../../../runtime/platform/certificate-keys.ts'
import { encodeName, type NameAttribute } from '../../../../runtime/x509/name.ts'
import type { EngineResponse } from '../../engine.ts'
import type { OpenAuthority } from '../authority-record.ts'
import {
  deleteRoot, generateRoot, importAuthority, requestIntermediate, setSigned, type RootWish,
} from '../own-authorities.ts'
import { serialText } from '../serials.ts'
import { certified } from './certify.ts'
import { formatted, keyFormatted, type Format } from './formats.ts'
import type { Call, Route } from './route.ts'

const YEAR_SECONDS = 365 * 86_400

/** The subject of an authority, the widest part first. */
function subjectOf({ fields }: Call): Uint8Array {
  const each = (type: string, name: string): readonly NameAttribute[] =>
    fields.words(name).map((value) => ({ type, value }))
  return encodeName([
    ...each('C', 'country'), ...each('ST', 'province'), ...each('L', 'locality'), ...each('STREET', 'street_address'),
    ...each('POSTALCODE', 'postal_code'), ...each('O', 'organization'), ...each('OU', 'ou'),
    { type: 'CN', value: fields.needed('common_name') },
  ])
}

function keyTypeOf({ fields }: Call): CertificateKeyType {
  const type = fields.choice('key_type', ['rsa', 'ec', 'ed25519'])
  const bits = fields.whole('key_bits') || (type === 'rsa' ? 2048 : 256)
  const name = type === 'ed25519' ? type : type === 'rsa' ? `rsa-${bits}` : `ec-p${bits}`
  const known: readonly CertificateKeyType[] = ['rsa-2048', 'rsa-3072', 'rsa-4096', 'ec-p256', 'ec-p384', 'ed25519']
  return known.find((one) => one === name) ?? fail(`There is no key of this type and size: ${type}, ${bits}`)
}

function fail(message: string): never {
  throw new InvalidArgument(message)
}

function wishOf(call: Call): RootWish {
  const { fields, pki } = call
  const pathLength = fields.whole('max_path_length') ?? -1
  const ttl = fields.seconds('ttl') || 10 * YEAR_SECONDS
  return {
    subject: subjectOf(call), keyType: keyTypeOf(call),
    notAfter: fields.time('not_after') ?? pki.ports.clock.now() + ttl * 1_000,
    ...(pathLength < 0 ? {} : { pathLength }),
  }
}

const formatOf = ({ fields }: Call): Format => fields.choice('format', ['pem', 'der', 'pem_bundle'])

/** `internal`: the key stays here. `exported`: it is told once, in this answer. */
function exportsKey({ at: [how] }: Call): boolean {
  if (how !== 'internal' && how !== 'exported') fail(`It must be internal or exported: ${String(how).slice(0, 32)}`)
  return how === 'exported'
}

async function generate(call: Call): Promise<EngineResponse> {
  const exported = exportsKey(call)
  const format = formatOf(call)
  const authority = await generateRoot(call.pki, wishOf(call))
  const key = exported ? authority.key!.exportPem() : undefined
  const ignored = ['alt_names', 'ip_sans', 'uri_sans', 'permitted_dns_domains', 'issuer_name', 'key_name']
    .filter((name) => Object.hasOwn(call.data, name) && call.data[name] !== '')
  return {
    data: { ...authorityAnswer(authority, format, key), key_id: authority.id, key_name: '' },
    ...(ignored.length === 0 ? {} : { warnings: [`These parameters have no effect here: [${ignored.join(' ')}]`] }),
  }
}

const authorityAnswer = (authority: OpenAuthority, format: Format, privateKey: string | undefined) => ({
  certificate: formatted(format, authority.certificate.raw, { chain: [], privateKey }),
  issuing_ca: keyFormatted(format, authority.pem), expiration: Math.floor(authority.certificate.notAfter / 1_000),
  serial_number: serialText(authority.serial), issuer_id: authority.id, issuer_name: '',
  ...(privateKey === undefined ? {} : {
    private_key: keyFormatted(format, privateKey), private_key_type: authority.key!.public.type.split('-')[0],
  }),
})

async function generateIntermediate(call: Call): Promise<EngineResponse> {
  const exported = exportsKey(call)
  const format = formatOf(call)
  const { id, csr, key } = await requestIntermediate(call.pki, { subject: subjectOf(call), keyType: keyTypeOf(call) })
  return {
    data: {
      csr: keyFormatted(format, csr), key_id: id,
      ...(exported ? {
        private_key: keyFormatted(format, key.exportPem()), private_key_type: key.public.type.split('-')[0],
      } : {}),
    },
  }
}

async function signIntermediate(call: Call): Promise<EngineResponse> {
  const { fields, pki, holder } = call
  if (pki.shape !== undefined) fail(`An authority of the zone certifies no other: ${pki.mount}`)
  const byRequest = fields.flag('use_csr_values')
  const pathLength = fields.whole('max_path_length') ?? -1
  const ttl = fields.seconds('ttl')
  const issued = await pki.issuing.signAuthority(fields.needed('csr'), {
    ...(byRequest ? {} : { subject: subjectOf(call) }), pathLength: pathLength < 0 ? undefined : pathLength,
    notAfter: fields.time('not_after'), ttl,
  }, { holder })
  return certified(issued, formatOf(call))
}

const imported = (authority: OpenAuthority): EngineResponse => ({
  data: {
    imported_issuers: [authority.id], imported_keys: [authority.id], existing_issuers: null, existing_keys: null,
    mapping: { [authority.id]: authority.id },
  },
})

/** The root that waits signs from now on; what the others signed is trusted as before. */
async function replace({ pki, fields }: Call): Promise<EngineResponse> {
  const id = fields.needed('default')
  await pki.rotation.step('activate', id)
  const { authorities } = await pki.authorities.fresh()
  for (const one of authorities) if (one.state === 'active' && one.id !== id) await pki.rotation.step('taint', one.id)
  return { data: { default: id } }
}

export const authorityRoutes: readonly Route[] = [
  { path: 'root/generate/:', on: { write: generate } },
  { path: 'root/rotate/:', on: { write: generate } },
  { path: 'root/replace', on: { write: replace } },
  { path: 'root/sign-intermediate', on: { write: signIntermediate } },
  {
    path: 'root',
    on: {
      delete: async ({ pki }) => {
        await deleteRoot(pki)
        return {}
      },
    },
  },
  { path: 'intermediate/generate/:', on: { write: generateIntermediate } },
  {
    path: 'intermediate/set-signed',
    on: { write: async ({ pki, fields }) => imported(await setSigned(pki, fields.needed('certificate'))) },
  },
  {
    path: 'config/ca',
    on: { write: async ({ pki, fields }) => imported(await importAuthority(pki, fields.needed('pem_bundle'))) },
  },
]
