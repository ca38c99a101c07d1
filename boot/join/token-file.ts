import { safeParse } from 'valibot'
import { TokenMade } from '../../actors/enrolment/control.ts'
import { DeviceRole } from '../../actors/records.ts'
import { PublicKey } from '../../actors/system-config/protocol.ts'
import { array, integer, number, object, optional, pipe, string, type Infer } from '../../runtime/protocol.ts'
import { Usage } from '../errors.ts'
import { parseJson } from '../parse-json.ts'

/** What a new host is given beside the root certificate; a secret. */
export const TokenFile = object({
  token: string(),
  zone: string(), host: string(), role: DeviceRole,
  /** Where the control plane listens. */
  server: string(),
  /** Epoch milliseconds. */
  expiresAt: pipe(number(), integer()),
  /** Keys that sign the set of roots: through them the token outlives a change of the root. */
  anchors: array(PublicKey),
  /** The least version of such a set that is taken. */
  rootsVersion: pipe(number(), integer()),
  /** The owner key of the zone. Absent in files from before there was one in them. */
  owner: optional(PublicKey),
})
export type TokenFile = Infer<typeof TokenFile>

export function tokenFileOf(made: Infer<typeof TokenMade>): string {
  const { token, zone, server, anchors, rootsVersion, owner, record: { host, role, expiresAt } } = made
  const file: TokenFile = { token, zone, host, role, server, expiresAt, anchors, rootsVersion, owner }
  return `${JSON.stringify(file, null, 2)}\n`
}

/** The file, or a file with nothing but the token. */
export type GivenToken = Pick<TokenFile, 'token'> & Partial<TokenFile>

/** @throws Usage */
export function readTokenFile(text: string, path: string): GivenToken {
  const trimmed = text.trim()
  if (/^zwj_[\w-]+$/.test(trimmed)) return { token: trimmed }
  const parsed = safeParse(TokenFile, parseJson(new TextEncoder().encode(text)))
  if (parsed.success) return parsed.output
  throw new Usage(`It is no join token: ${path}`, { path, next: 'Give the file that gen join-token has written' })
}
