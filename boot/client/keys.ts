import { array, boolean, literal, looseObject, nullable, number, object, picklist, string } from 'valibot'
import type { Infer } from '../../runtime/protocol.ts'
import { NotAZone } from '../errors.ts'
import { shapeOf } from './kv.ts'
import type { ZoneClient } from './zone-client.ts'

/** The keys of verify-hub, as it tells of them. */

const Jwk = object({ kty: literal('OKP'), crv: literal('Ed25519'), x: string() })
const Key = looseObject({
  kid: string(), jwk: Jwk, version: number(), created_ms: number(), named: boolean(), signs: boolean(),
})
const Keys = looseObject({
  /** Oldest first. */
  keys: array(Key), signs_since_ms: nullable(number()), retire_after: nullable(number()),
})
const Prepared = looseObject({ kid: string(), jwk: Jwk, state: picklist(['prepared', 'announced']) })

export type HubKey = Infer<typeof Key>
export type HubKeys = Infer<typeof Keys>

export const readHubKeys = async (client: ZoneClient): Promise<HubKeys> =>
  shapeOf(Keys, await client.call('verify-hub', 'list_keys', {}), 'which keys there are')

/** The same key at each call, until boot/config names it alone. */
export async function prepareHubKey(client: ZoneClient): Promise<Infer<typeof Prepared>> {
  const prepared = shapeOf(Prepared, await client.call('verify-hub', 'prepare_key', {}), 'the preparation of a key')
  // The owner key is about to sign for it
  if (client.platform.keys.importJwk(prepared.jwk).kid === prepared.kid) return prepared
  throw new NotAZone('The zone answered with a key that is not the one that it names')
}

/** `ends`: boot/config names one, and an older one is not destroyed yet. */
export type Stage = 'one key' | 'prepared' | 'announced' | 'new key signs' | 'old key ends'

export function stageOf({ keys }: HubKeys): Stage {
  const named = keys.filter((key) => key.named)
  if (named.length > 1) return named.at(-1)!.signs ? 'new key signs' : 'announced'
  const [only] = named
  if (keys.some(({ version }) => version < (only?.version ?? 0))) return 'old key ends'
  return keys.length > 1 ? 'prepared' : 'one key'
}
