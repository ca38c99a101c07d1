/** HashiCorp Vault's API: requests, tokens, policies, mounts, KV, and what listens. */
import { guardsOf, type Guard } from '../guard.ts'

const http = 'test/actors/vault-http.test.ts'
const tokens = 'test/actors/vault-tokens.test.ts'
const policies = 'test/actors/vault-policies.test.ts'
const kv = 'test/actors/vault-kv.test.ts'
const listening = 'test/actors/vault-listener.test.ts'
const bounds = 'test/limits/vault-http.test.ts'

const spellings = 'a path that two readers could take for two is refused, whatever its spelling'
const silence = 'what is not here is refused, not left out in silence: namespaces, wrapping, other types of tokens'
const sizes = 'a path, a query, a list and JSON may be as long and deep as their limits, and no more'
const more = 'a token may do no more than who made it, and only a root token makes root tokens'
const privileged = 'an own id, a period and an orphan are for root and sudo'
const hidden = 'what actors keep by link nobody reads, lists, writes or destroys by HTTP, root neither'
const audited = 'requests with a token are in the audit by accessor, path and outcome, and those of nobody are not'
const sudo = 'sudo is asked for where Vault asks for it'
const parameters = 'parameters are allowed, denied and required by name and value'
const patterns = 'a star at the end stands for what follows, a plus for one segment, and both elsewhere for themselves'
const tree = 'with a token go all below it, orphans stay, and a revoked parent makes no more children'
const mounted = 'another mount has secrets of its own, and takes them along when it goes'

export const vaultHttp: readonly Guard[] = [
  ...guardsOf('actors/vault/http/request.ts', http,
    ['a path goes down only', "segment === '..' || segment === '.'", 'false', spellings],
    ['a path has no empty segment', "if (segments.includes('')) throw", "if (false) throw", spellings],
    ['a path can be seen', '/[\\p{Cc}\\p{Cf}\\p{Cs}\\p{Zl}\\p{Zp}]/u.test(path)', 'false', spellings],
    ['a path has one spelling', "path.normalize('NFC') !== path", 'false', spellings],
    [
      'there are no namespaces',
      "replace(/\\/$/, '') !== '') throw badRequest('namespaces",
      "replace(/\\/$/, '') === '-') throw badRequest('namespaces",
      silence,
    ],
    ['nothing is wrapped', "if (!/^0?s?$/.test(headers['x-vault-wrap-ttl'] ?? '')) throw", 'if (false) throw', silence],
  ),
  ...guardsOf('actors/vault/http/request.ts', bounds,
    ['a path is short', 'if (path.length > limits.vaultHttpPath) throw', 'if (false) throw', sizes],
    ['parameters are few', 'if (++count > limits.vaultHttpParameters) throw', 'if (false) throw', sizes],
    ['JSON is flat', 'if (depthOf(body) > limits.vaultHttpDepth) throw', 'if (false) throw', sizes],
  ),
  ...guardsOf('actors/vault/http/http.ts', http,
    [
      'nobody is served without a token',
      '  if (found === undefined) throw forbidden()',
      '  if (false) throw forbidden()',
      'nobody learns whether a token, a path or a secret is there: 403 is 403',
    ],
    ['a refusal is in the audit', "await audit.record({ ...entry, outcome: 'denied', code: 'Denied' })", '', audited],
    [
      'a request is in the audit',
      "const begun = audit.record({ ...entry, outcome: 'begun' })",
      'const begun = Promise.resolve(0)',
      audited,
    ],
    [
      'what failed is not told',
      "return encodeFault(new Fault(500, 'internal error'))",
      'return encodeFault(new Fault(500, String(error)))',
      'a failure of the store is told as one, and nothing of what it was',
    ],
  ),
  ...guardsOf('actors/vault/http/http.ts', policies,
    [
      'a policy allows each request',
      'if (!route?.judges && !holder.acl.allows({ operation, path, data, isSudo })) {',
      'if (false) {',
      'a change of a policy counts for tokens that have it, at once; one that is gone gives nothing',
    ],
    ['a route may ask for sudo', 'const isSudo = route?.sudo ?? ', 'const isSudo = ', sudo],
    [
      'a write creates or changes',
      "? 'create' : request.operation",
      '? request.operation : request.operation',
      'a change of a policy counts for tokens that have it, at once; one that is gone gives nothing',
    ],
  ),
  ...guardsOf('actors/vault/http/tokens/store.ts', tokens,
    [
      'a token ends',
      '(expiresAt === 0 || clock.now() < expiresAt)',
      'true',
      'a token is worth nothing once its time is over, before anything sweeps, and is swept then',
    ],
    [
      'a use is taken once',
      'barrier.commit([{ key: path, modRevision: revision }], changes)) {\n        return { name, record: used',
      'barrier.commit([], changes)) {\n        return { name, record: used',
      'two vaults on one store give out no use twice',
    ],
    [
      'uses of one token are taken one by one',
      'record.numUses === 0 ?',
      'record.numUses !== -5 ?',
      'of many requests at once with a token for one use exactly one passes',
    ],
    [
      'a child has a parent that is there',
      'guards.push({ key: idPath(parent.name), modRevision: above.revision })',
      '',
      'a child that is made while its parent is revoked does not outlive it',
    ],
    [
      'an id is nobody else’s',
      'const guards: Compare[] = [{ key: idPath(name), modRevision: 0 }]',
      'const guards: Compare[] = []',
      privileged,
    ],
  ),
  ...guardsOf('actors/vault/http/tokens/names.ts', tokens,
    [
      'digests of tokens are keyed',
      'return keys.hash(salted)',
      'return keys.hash(encoder.encode(text))',
      'no token lies in the store, the log or the audit, in clear or as a plain hash',
    ],
  ),
  ...guardsOf('actors/vault/http/tokens/revocation.ts', tokens,
    ['children go as well', 'await finish(name)\n  }\n\n  return {', '}\n\n  return {', tree],
    [
      'what is interrupted is noted',
      'const wasThere = await remove(child, [note(child)])',
      'const wasThere = await remove(child, [])',
      'revocation that was interrupted goes on at the next sweep, all the way down',
    ],
  ),
  ...guardsOf('actors/vault/http/tokens/create.ts', tokens,
    [
      'a token with few uses makes none',
      'if (own.numUses !== 0) throw',
      'if (false) throw',
      'a token that is restricted in its uses makes no tokens',
    ],
    ['an orphan is for sudo', 'if (noParent && !role && !isSudo) throw', 'if (false) throw', privileged],
    ['an id is for sudo', "if (id !== undefined && id !== '' && !isSudo) throw", 'if (false) throw', privileged],
    ['a period is for sudo', 'if (askedPeriod > 0 && !isSudo) throw', 'if (false) throw', privileged],
    ['a child has no more policies', "if (more.length > 0 && !own.includes('root')) throw", 'if (false) throw', more],
    ['root comes of root', "if (all.includes('root') && !own.policies.includes('root')) {", 'if (false) {', more],
  ),
  ...guardsOf('actors/vault/http/tokens/roles.ts', tokens,
    ['a role gives what it names', 'if (bad !== undefined) throw', 'if (false) throw', more],
  ),
  ...guardsOf('actors/vault/http/tokens/lives.ts', tokens,
    [
      'a bound counts from the beginning',
      'Math.max(0, most - since)',
      'most',
      'a renewal adds to what is left, never beyond the bound of the token or of the vault',
    ],
  ),
  ...guardsOf('actors/vault/http/tokens/routes.ts', tokens,
    [
      'what cannot be renewed is not',
      'if (!token.record.renewable) throw',
      'if (false) throw',
      'a renewal adds to what is left, never beyond the bound of the token or of the vault',
    ],
  ),
  ...guardsOf('actors/vault/http/policies/acl.ts', policies,
    [
      'one deny denies',
      "all.has('deny') ? new Set(['deny']) : all",
      'all',
      'rules for one path in several policies are one, and one deny denies',
    ],
    [
      'an operation is a capability',
      '!rule.capabilities.has(operation)',
      'false',
      'what no rule names is denied, and an empty policy allows nothing',
    ],
    [
      'what no rule names is denied',
      'if (rule === undefined || ',
      'if (rule === undefined) return true\n      if (',
      'what no rule names is denied, and an empty policy allows nothing',
    ],
    [
      'the most specific decides',
      'patterns.sort(bySpecificity)',
      '',
      'the most specific rule decides alone, in the order that Vault documents',
    ],
    ['a plus is one segment', 'given.length !== segments.length', 'false', patterns],
    ['parameters are looked at', 'return !writes || parametersAllowed(rule, data)', 'return true', parameters],
    ['sudo is a capability', "if (isSudo && !rule.capabilities.has('sudo')) return false", '', sudo],
  ),
  ...guardsOf('actors/vault/http/policies/policy.ts', policies,
    [
      'a policy holds what is known',
      'const other = Object.keys(inner).find((key) => !KEYS.includes(key))',
      'const other = undefined',
      'what is no policy is refused with what is wrong, and where',
    ],
    [
      'a policy has no NUL',
      "if (text.includes('\\0')) throw",
      'if (false) throw',
      'what is no policy is refused with what is wrong, and where',
    ],
  ),
  ...guardsOf('actors/vault/http/policies/store.ts', policies,
    [
      'what every vault has stays',
      "if (name === 'root' || name === 'default') throw",
      'if (false) throw',
      'the policies of the vault itself cannot be changed or taken away',
    ],
    [
      'root is no text',
      "if (name === 'root') throw",
      'if (false) throw',
      'the policies of the vault itself cannot be changed or taken away',
    ],
  ),
  ...guardsOf('actors/vault/http/mounts.ts', kv,
    [
      'mounts of every vault stay',
      'if (fixed.some((mount) => mount.path === path)) throw',
      'if (false) throw',
      mounted,
    ],
    ['a mount is in no other', 'if (taken) throw', 'if (false) throw', mounted],
    [
      'some paths are the vault’s own',
      'if (!SHAPE.test(path) || isReserved) throw',
      'if (!SHAPE.test(path)) throw',
      mounted,
    ],
    ['what a mount kept goes with it', 'if (found) await clear(found)', '', mounted],
  ),
  ...guardsOf('actors/vault/kv/engine.ts', kv,
    ['secrets of actors are not served', 'if (isHidden(path)) throw forbidden()', '', hidden],
    ['secrets of actors are not listed', '.filter((name) => !isHidden(prefix + name))', '', hidden],
  ),
  ...guardsOf('actors/vault/secrets.ts', kv,
    ['secrets of actors are kept as they say', 'clock, unconfigured: true', 'clock', hidden],
  ),
  ...guardsOf('actors/vault/kv/store.ts', kv,
    [
      'cas is compared',
      'if (cas !== undefined && cas !== current) throw',
      'if (false) throw',
      'of many writers with the same cas one wins',
    ],
    [
      'cas may be asked for',
      'if (cas === undefined && (before?.casRequired || mount.casRequired)) throw',
      'if (false) throw',
      'of many writers with the same cas one wins',
    ],
    [
      'a writer sees what it changes',
      '[{ key: metadataPath(path), modRevision: revision }], [\n      { path: metadataPath(path), value: after }',
      '[], [\n      { path: metadataPath(path), value: after }',
      'of many writers with the same cas one wins',
    ],
  ),
  ...guardsOf('actors/vault/listener/serving.ts', listening,
    [
      'without TLS it is on loopback',
      "if (this.#mode === 'off' && !this.#given && !this.isLoopback) {",
      'if (false) {',
      'elsewhere it does not listen before it has a certificate, and never without',
    ],
    [
      'before it has a certificate as well',
      'else if (this.isLoopback) await this.#serve(undefined)',
      'else await this.#serve(undefined)',
      'elsewhere it does not listen before it has a certificate, and never without',
    ],
  ),
  ...guardsOf('actors/vault/listener/hand-on.ts', listening,
    [
      'requests under way are bounded',
      'if (underWay >= limits.vaultHttpRequests) return',
      'if (false) return',
      'so many requests are handed on at once, each for a time, with the headers that the vault goes by',
    ],
    [
      'a header is short',
      'if (value.length > limits.vaultHttpHeader) return',
      'if (false) return',
      'so many requests are handed on at once, each for a time, with the headers that the vault goes by',
    ],
    [
      'what failed is not told',
      "return fault(500, 'internal error')",
      'return fault(500, messageOf(error))',
      'what the vault cannot answer now is told as that, and what fails as no more than a failure',
    ],
  ),
]
