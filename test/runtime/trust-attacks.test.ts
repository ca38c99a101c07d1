/** The attack table against the one function that checks tokens; over HTTP in test/attack-http.test.ts. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { rulesFor, type Phase, type Verifier } from '../../actors/trust-matrix.ts'
import { InvalidArgument } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import { toBase64url } from '../../runtime/trust/base64url.ts'
import { denialReasons } from '../../runtime/trust/denial.ts'
import { tokenLifetimeSeconds, tokenTypes, type TokenUse } from '../../runtime/trust/token.ts'
import { attacksOn } from '../attack-table.ts'
import { smallOrder } from '../attack-parts.ts'
import {
  claims, good, goodHeader, hub, hubTrust, keys, now, reasonOf, signParts, signed, stranger,
} from './trust-fixture.ts'

const attacks = suite('RFC 8725 attacks')
const table = attacksOn({ key: hub, stranger, claims: { ...claims, iat: now }, tokenCharactersMax: limits.token })

for (const { name, token, reason } of table) {
  attacks(name, async () => assert.is(await reasonOf(token), reason))
}

attacks('what stands beside the attacks is accepted', async () => {
  const beside: readonly (readonly [string, string])[] = [
    ['a good token', good],
    ['exp in a second', signed({ exp: now + 1 })],
    ['issued 60 s ahead of our clock', signed({ iat: now + 60 })],
    ['issued now, for as long as a session may live', signed({ iat: now, exp: now + 900 })],
    ['cnf with a thumbprint', signed({ cnf: { jkt: stranger.public.kid } })],
    ['as many audiences as may be', signed({ aud: ['photos', ...Array.from({ length: 15 }, (_, at) => `a${at}`)] })],
    ['names as long as may be', signed({ sub: 'a'.repeat(128) })],
    ['members in another order', signParts(JSON.stringify(goodHeader),
      JSON.stringify(Object.fromEntries(Object.entries(claims).reverse())))],
    ['white space in the JSON', signParts(JSON.stringify(goodHeader, null, 2), JSON.stringify(claims, null, 2))],
  ]
  for (const [name, token] of beside) assert.is(await reasonOf(token), 'accepted', name)
})

attacks('the table has each reason that a token alone can be refused for, and no name twice', () => {
  assert.is(new Set(table.map(({ name }) => name)).size, table.length)
  const tried = new Set<string>(table.map(({ reason }) => reason))
  const elsewhere = [
    // Of the call, or of what the verifier knows beside the token
    'absent', 'holder', 'revoked', 'replayed', 'replay-unchecked', 'use', 'key-reason', 'subject', 'runtime-type',
  ].map((name) => `token/${name}`)
  const expected = Object.keys(denialReasons).filter((reason) => reason.startsWith('token/'))
  assert.equal([...tried, ...elsewhere].sort(), expected.sort())
})

/** As the key of this kid would be, were it read from a document. */
const underKey = (x: string, signature: Uint8Array): Promise<string> => {
  const jwk = { kty: 'OKP', crv: 'Ed25519', x } as const
  const kid = toBase64url(keys.hash(new TextEncoder().encode(`{"crv":"Ed25519","kty":"OKP","x":"${x}"}`)))
  const [header, payload] = signed({}, { kid }).split('.')
  return reasonOf(`${header}.${payload}.${toBase64url(signature)}`, { trustKey: () => ({ ...hubTrust, kid, jwk }) })
}

attacks('a key of small order, for which anybody signs, is no key', async () => {
  for (const point of smallOrder) {
    const x = toBase64url(point)
    assert.throws(() => keys.importJwk({ kty: 'OKP', crv: 'Ed25519', x }),
      (error: unknown) => error instanceof InvalidArgument, x)
    // R and S zero but for the sign: good under a key of order one for every message
    for (const r of smallOrder.slice(0, 4)) {
      const outcome = await underKey(x, Uint8Array.of(...r, ...new Uint8Array(32))).catch((error: Error) => error.name)
      assert.is(outcome, 'InvalidArgument', x)
    }
  }
})

const verifiers: readonly Verifier[] = [
  'system-config', 'verify-hub', 'kernel-service', 'service', 'node', 'gateway', 'vault',
]
const uses = Object.keys(tokenTypes) as TokenUse[]

/** Who signs each use, and for whom. */
const signers = {
  boot: ['env', 'ood1', 'scheduler', 'kernel-service'],
  root: ['boot-config.root', 'root', 'root', 'user'],
  login: ['devices/ood1/doc', 'ood1', 'alice', 'service'],
  session: ['boot-config.verify-hub', 'verify-hub', 'alice', 'user'],
  refresh: ['boot-config.verify-hub', 'verify-hub', 'alice', 'user'],
  sudo: ['users/alice/doc', 'alice', 'alice', 'user'],
} as const satisfies Readonly<Record<TokenUse, readonly string[]>>

attacks('each use presented as each other one is refused by every verifier', async () => {
  const told: string[] = []
  let tried = 0
  for (const from of uses) for (const to of uses) {
    if (from === to) continue
    const [reason, iss, sub, type] = signers[from]
    const trustKey = () => ({ ...hubTrust, reason, issuer: iss })
    const exp = now + tokenLifetimeSeconds[from]
    const own = { iss, sub, aud: ['target', 'beside'], iat: now, exp, runtime_type: type, epoch: 0 }
    for (const verifier of verifiers) for (const phase of ['boot', 'normal'] as const satisfies readonly Phase[]) {
      const rules = rulesFor(verifier, phase)
      const policy = { rules, audience: 'target', epoch: 0, trustKey, burn: async () => true }
      const ask = (header: object, body: object): Promise<string> =>
        reasonOf(signed({ ...own, ...body }, header), policy)
      const where = `${from} as ${to} at ${verifier}, ${phase}`
      assert.is(await ask({ typ: tokenTypes[to] }, { token_use: from }), 'token/typ', where)
      assert.is(await ask({ typ: tokenTypes[from] }, { token_use: to }), 'token/typ', where)
      const both = await ask({ typ: tokenTypes[to] }, { token_use: to })
      const takes = rules.some(({ tokenUse }) => tokenUse === to)
      if (!takes) assert.is(both, 'token/use', where)
      else if (both === 'accepted') told.push(where)
      else assert.match(both, /^token\/(key-reason|lifetime|subject|audience|runtime-type|session)$/, where)
      tried += 3
    }
  }
  assert.is(tried, 30 * 7 * 2 * 3)
  assert.equal(told, [])
})

attacks.run()
