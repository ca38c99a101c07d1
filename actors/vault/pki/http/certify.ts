import { InvalidArgument } from '../../../../runtime/errors.ts'
import type { AlternativeName } from '../../../../runtime/x509/alternative-names.ts'
import type { EngineResponse } from '../../engine.ts'
import { NotInVault } from '../../protocol.ts'
import type { Issued } from '../keep.ts'
import { defaultRole } from '../role.ts'
import type { RoleInUse, Wish } from '../wish.ts'
import { formatted, keyFormatted, type Format } from './formats.ts'
import { serialText } from '../serials.ts'
import type { Call, Route } from './route.ts'

/** A role that is not there is a wrong request, not a wrong path. */
async function roleOf({ pki, at: [name] }: Call): Promise<RoleInUse> {
  try {
    return await pki.roles.read(name!)
  } catch (error) {
    if (error instanceof NotInVault) throw new InvalidArgument(`unknown role: ${name!.slice(0, 64)}`)
    throw error
  }
}

const named = (type: AlternativeName['type'], values: readonly string[]): readonly AlternativeName[] =>
  values.map((value) => ({ type, value }))

/** What the body asks for; where the role goes by the request alone, the body names nobody. */
function wishOf({ fields }: Call, byRequest = false): Wish {
  if (fields.words('other_sans').length > 0 || fields.words('user_ids').length > 0) {
    throw new InvalidArgument('other_sans and user_ids are not supported')
  }
  const alternatives = fields.words('alt_names')
  const names = byRequest ? [] : [
    ...named('dns', alternatives.filter((name) => !name.includes('@'))),
    ...named('email', alternatives.filter((name) => name.includes('@'))),
    ...named('ip', fields.words('ip_sans')),
    ...named('uri', fields.words('uri_sans')),
  ]
  const notAfter = fields.time('not_after')
  return {
    names, commonName: fields.text('common_name') || undefined, excludeCommonName: fields.flag('exclude_cn_from_sans'),
    ttl: fields.seconds('ttl'), notAfter,
  }
}

export function certified(
  { der, key, notAfter, book, authority, warnings }: Issued, format: Format, more: object = {}, privateKey?: string,
): EngineResponse {
  const chain = book.upToRoot
  return {
    data: {
      certificate: formatted(format, der, { chain, privateKey }),
      issuing_ca: keyFormatted(format, authority.pem), ca_chain: chain.map((pem) => keyFormatted(format, pem)),
      expiration: Math.floor(notAfter / 1_000), serial_number: serialText(key), ...more,
    },
    ...(warnings.length === 0 ? {} : { warnings }),
  }
}

const formatOf = ({ fields }: Call): Format => fields.choice('format', ['pem', 'der', 'pem_bundle'])

/** Of `ec-p256`: as Vault names it. */
const familyOf = (keyType: string): string => keyType.split('-')[0]!

async function issue(call: Call): Promise<EngineResponse> {
  const { pki, holder, fields } = call
  const format = formatOf(call)
  fields.choice('private_key_format', ['der', 'pem', 'pkcs8'])
  const { privateKey, keyType, ...issued } = await pki.issuing.issue(await roleOf(call), wishOf(call), { holder })
  return certified(issued, format, {
    private_key: keyFormatted(format, privateKey), private_key_type: familyOf(keyType),
  }, privateKey)
}

async function sign(call: Call): Promise<EngineResponse> {
  const { pki, holder, fields } = call
  const format = formatOf(call)
  const use = await roleOf(call)
  const wish = wishOf(call, use.role.use_csr_sans)
  return certified(await pki.issuing.sign(fields.needed('csr'), use, wish, { holder }), format)
}

/** Whatever the request says, but an authority and an identity of the zone. */
async function signVerbatim(call: Call): Promise<EngineResponse> {
  const { pki, at, holder, fields, data } = call
  const format = formatOf(call)
  const named = at.length > 0 ? (await roleOf(call)).role : undefined
  const usages = Object.hasOwn(data, 'key_usage') ? fields.words('key_usage')
    : named?.key_usage ?? defaultRole.key_usage
  const use: RoleInUse = {
    name: at[0] ?? '', verbatim: true,
    role: {
      ...defaultRole, key_type: 'any', allow_any_name: true, enforce_hostnames: false, allowed_uri_sans: ['*'],
      server_flag: false, client_flag: false, require_cn: false, key_usage: usages,
      ext_key_usage: fields.words('ext_key_usage'), no_store: named?.no_store ?? false,
      ttl: named?.ttl ?? 0, max_ttl: named?.max_ttl ?? 0,
      not_before_duration: named?.not_before_duration ?? defaultRole.not_before_duration,
    },
  }
  return certified(await pki.issuing.sign(fields.needed('csr'), use, wishOf(call, true), { holder }), format)
}

export const certifyRoutes: readonly Route[] = [
  { path: 'issue/:', on: { write: issue } },
  { path: 'sign/:', on: { write: sign } },
  { path: 'sign-verbatim', on: { write: signVerbatim } },
  { path: 'sign-verbatim/:', on: { write: signVerbatim } },
]
