/** A rotation on a real zone, with verify-hub and the vault killed at each stage of it. */
import { createRemoteJWKSet, jwtVerify } from 'jose'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { kv } from '../actors/records.ts'
import { SystemConfig } from '../actors/system-config/protocol.ts'
import type { PublicJwk } from '../runtime/platform/ports.ts'
import { limits } from '../runtime/limits.ts'
import type { Pair } from './krpc-client.ts'
import { oauthZone, type OAuthZone } from './oauth-zone.ts'
import { sleep } from './runtime/http-fixture.ts'

const zones = suite('a rotation on a real zone')

let zone: OAuthZone
zones.before(async () => { zone = await oauthZone() })
zones.after(() => zone.stop())

async function until(holds: () => boolean | Promise<boolean>, withinMs: number): Promise<boolean> {
  for (let left = withinMs; left > 0; left -= 100) {
    if (await holds()) return true
    await sleep(100)
  }
  return false
}

interface Keys { readonly keys: readonly { kid: string; named: boolean; signs: boolean }[] }
const listed = async ({ session_token: token }: Pair): Promise<string[]> =>
  (await zone.krpc('verify-hub', 'list_keys', {}, token) as Keys).keys
    .map(({ kid, named, signs }) => `${kid.slice(0, 4)} ${named ? 'named' : ''} ${signs ? 'signs' : ''}`.trim())
const prepare = async ({ session_token: token }: Pair) =>
  await zone.krpc('verify-hub', 'prepare_key', {}, token) as { kid: string; jwk: PublicJwk; state: string }

/** Ends them as a crash would, and waits until logins are answered again. */
async function crash(...names: string[]): Promise<void> {
  for (const name of names) {
    await zone.zone.kill(name)
    const back = () => zone.zone.list().find((each) => each.name === name)?.state === 'serving'
    assert.ok(await until(back, 20_000), `${name} comes back`)
  }
  const settled = () => zone.zone.list().every(({ state }) => state === 'serving' || state === 'stopped')
  assert.ok(await until(settled, 20_000))
}

const named = async (...verifyHub: readonly PublicJwk[]): Promise<void> => {
  const before = JSON.parse((await zone.zone.get(SystemConfig).get(
    { key: kv.bootConfig }, { token: (await zone.login('console')).session_token }))!.value) as object
  await zone.put(kv.bootConfig, { ...before, verifyHub })
}

const signer = async ({ session_token: token }: Pair): Promise<string> => {
  const keys = createRemoteJWKSet(new URL('/oauth/jwks', zone.origin))
  return String((await jwtVerify(token, keys, { issuer: 'verify-hub' })).protectedHeader.kid)
}

const told = (error: unknown): never => {
  // uvu takes `details` for text: of one of our errors it would print nothing
  throw new Error(`${error instanceof Error ? error.stack : String(error)}`)
}

zones('whatever is killed at whichever stage, the rotation goes on from there', () => rotation().catch(told))

async function rotation(): Promise<void> {
  const first = await zone.login('console')
  const oldKid = await signer(first)
  const { kid: newKid, jwk, state } = await prepare(first)
  assert.is(state, 'prepared')
  await crash('verify-hub', 'vault')
  assert.is((await prepare(await zone.login('console'))).kid, newKid, 'it was prepared once')
  assert.is(await signer(await zone.login('console')), oldKid)

  const published = await (await fetch(`${zone.origin}/oauth/jwks`)).json() as { keys: PublicJwk[] }
  const old = published.keys[0]!
  const oldJwk: PublicJwk = { kty: 'OKP', crv: 'Ed25519', x: old.x }
  await named(oldJwk, jwk)
  assert.is((await prepare(await zone.login('console'))).state, 'announced')
  await crash('verify-hub')
  const soon = await zone.login('console')
  assert.is(await signer(soon), oldKid, 'it waits anew')
  assert.ok(await until(async () => (await listed(soon)).some((line) => line === `${newKid.slice(0, 4)} named signs`),
    4 * limits.enforcerLeaseMs))
  await crash('verify-hub')
  const next = await zone.login('console')
  assert.is(await signer(next), newKid, 'everybody knew it before')
  assert.is(await signer(first), oldKid)

  await named(jwk)
  await crash('verify-hub', 'vault')
  const last = await zone.login('console')
  assert.is(await signer(last), newKid)
  assert.ok(await until(async () => (await listed(last)).join() === `${newKid.slice(0, 4)} named signs`, 10_000),
    'the old one is destroyed')
  for (const pair of [first, soon]) {
    assert.is(await signer(pair).catch((error: { code?: string }) => error.code), 'ERR_JWKS_NO_MATCHING_KEY')
  }
  assert.is(await signer(next), newKid)
}

zones.run()
