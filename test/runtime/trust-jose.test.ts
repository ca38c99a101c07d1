import process from 'node:process'
import { importJWK, jwtVerify } from 'jose'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { DenialReason } from '../../runtime/trust/denial.ts'
import { thumbprint } from '../../runtime/trust/keys.ts'
import { tokenTypes } from '../../runtime/trust/token.ts'
import { verifyTokenSync } from '../../runtime/trust/verify.ts'
import { claims, decode, good, goodHeader, hub, hubTrust, keys, now, policy, random } from './trust-fixture.ts'
import { mutators } from './trust-mutators.ts'

const oracle = suite('against jose')

/** All on a current Node; elsewhere a share, since the oracle is slow there. */
const ALL = 100_000
const isCurrentNode = !('Deno' in globalThis) && Number.parseInt(process.versions.node) >= 24
const total = isCurrentNode ? ALL : ALL / 5
const atATime = 64

type Difference = readonly [reason: DenialReason, detail: RegExp, why: string]

/** What jose lets pass and we do not, on purpose: all of it. */
const differences: readonly Difference[] = [
  ['token/duplicate', /./, 'a member named twice: jose takes the last one, another reader the first'],
  ['token/encoding', /./, 'base64url in another spelling: one signature would have several tokens'],
  ['token/malformed', /one JSON object/, 'a member __proto__, or a byte order mark'],
  ['token/header', /./, 'a header member besides alg, typ and kid'],
  ['token/header-key', /./, 'a key in the header, which jose ignores when it is given one'],
  ['token/b64', /./, 'b64, where crit does not name it'],
  ['token/kid', /./, 'kid, which jose ignores when it is given a key'],
  ['token/unknown-key', /./, 'kid of another key than the one that signed'],
  ['token/typ', /./, 'typ in another spelling, or not that of token_use'],
  ['token/claims', /^there is a claim besides ours$/, 'a claim that no token of ours has'],
  ['token/claims', /^aud must be/, 'aud as text, twice, or with something that is no name'],
  ['token/claims', /^(sub|iss|jti|appid|runtime_type|sid) must be a name$/, 'a name that is no visible ASCII'],
  ['token/claims', /^(exp|iat) must be whole seconds/, 'times with a fraction, below zero or beyond a number'],
  ['token/claims', /^token_use must be a token use$/, 'a use that does not exist'],
  ['token/claims', /^cnf must be/, 'a confirmation that is not one thumbprint'],
  ['token/claims', /^epoch must be/, 'an epoch that is no whole number'],
  ['token/epoch', /./, 'the zone was restored from a backup since, or will be'],
  ['token/not-yet-valid', /./, 'issued in the future: jose looks at iat only with an age limit'],
  ['token/lifetime', /./, 'a life longer than its use allows, or one that ends before it begins'],
]

oracle(`${total} mutated tokens get the verdict of jwtVerify, but where ours is stricter by rule`, async () => {
  const josePublic = await importJWK({ ...hub.public.jwk }, 'EdDSA')
  const options = {
    algorithms: ['EdDSA'], issuer: 'verify-hub', audience: 'photos', typ: tokenTypes.session,
    requiredClaims: Object.keys(claims), currentDate: new Date(now * 1000),
  }
  const joseAccepts = (token: string): Promise<boolean> =>
    jwtVerify(token, josePublic, options).then(() => true, () => false)
  const sync = { ...policy, trustKey: (kid: string) => (kid === hubTrust.kid ? hubTrust : undefined) }
  const kinds = mutators(random.fork('mutated tokens'))
  const wheel = kinds.flatMap((kind) => Array.from({ length: kind.weight }, () => kind))

  const split = { both: 0, neither: 0, joseAlone: 0 }
  const counted = new Map<Difference, number>()
  const perKind = new Map<string, { accepted: number; refused: number }>()
  for (let done = 0; done < total; done += atATime) {
    const tokens = Array.from({ length: Math.min(atATime, total - done) }, (_, at) => {
      const { kind, draw } = wheel[(done + at) % wheel.length]!
      return { kind, token: draw() }
    })
    const verdicts = await Promise.all(tokens.map(({ token }) => joseAccepts(token)))
    for (const [at, { kind, token }] of tokens.entries()) {
      const jose = verdicts[at]!
      const ours = verifyTokenSync(token, sync)
      const seen = perKind.get(kind) ?? { accepted: 0, refused: 0 }
      perKind.set(kind, seen)
      seen[ours.accepted ? 'accepted' : 'refused']++
      split[ours.accepted ? 'both' : jose ? 'joseAlone' : 'neither']++
      // Only where they differ: a sentence for each of so many would be most of the work
      if (ours.accepted && !jose) assert.unreachable(`${kind}: jose refuses what we accept: ${token}`)
      if (ours.accepted || !jose) continue
      const { reason, detail } = ours.denial
      const difference = differences.find(([code, pattern]) => code === reason && pattern.test(detail))
      if (!difference) assert.unreachable(`${kind}: jose accepts, we say ${reason}: ${detail}: ${token}`)
      counted.set(difference!, (counted.get(difference!) ?? 0) + 1)
    }
  }
  const { both, neither, joseAlone } = split
  assert.is(both + neither + joseAlone, total)
  console.log(`\n  of ${total}: ${both} accepted by both, ${neither} refused by both, ${joseAlone} refused by us alone`)
  for (const [difference, count] of counted) console.log(`    ${String(count).padStart(6)}  ${difference[2]}`)
  // Neither side has it easy, and each difference is one that was met
  assert.ok(both > total / 5 && neither > total / 5, JSON.stringify(split))
  assert.equal(differences.filter((each) => !counted.has(each)).map(([, , why]) => why), [])
  assert.ok([...perKind.values()].every(({ refused }) => refused > 0), JSON.stringify([...perKind]))
  assert.is(perKind.size, kinds.length)
})

oracle('jose reads the tokens that we sign, and we those that it would sign', async () => {
  const { payload, protectedHeader } = await jwtVerify(good, await importJWK({ ...hub.public.jwk }, 'EdDSA'), {
    currentDate: new Date(now * 1000),
  })
  assert.equal(payload, claims)
  assert.equal(protectedHeader, goodHeader)
  assert.is(decode(good.split('.')[0]!), JSON.stringify(goodHeader))
})

oracle('the thumbprint is that of RFC 8037 appendix A.3', () => {
  const jwk = { kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' } as const
  assert.is(thumbprint(keys, jwk), 'kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k')
  assert.is(keys.importJwk(jwk).kid, thumbprint(keys, jwk))
})

oracle.run()
