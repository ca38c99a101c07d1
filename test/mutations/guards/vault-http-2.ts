/** HashiCorp Vault's API, at its edges: what stands in the wrong place, and figures that are nearly nothing. */
import { guardsOf, type Guard } from '../guard.ts'

const edges = 'test/actors/vault-http-edges.test.ts'

export const vaultHttp2: readonly Guard[] = [
  ...guardsOf('actors/vault/http/http.ts', edges,
    [
      'a path keeps no token of an older route', 'match ? path : path.replace(', 'path ? path : path.replace(',
      'a token that stands in a path is not in the audit',
    ],
    [
      'a path keeps no token', 'return known.replace(/(?<![', 'return known.replace(/^(?<![',
      'a token that stands in a path is not in the audit',
    ],
    [
      'an engine has paths for sudo', '.sudo?.includes(below(mount, path))', '.open.includes(below(mount, path))',
      'to take the authorities of a mount away takes sudo',
    ],
  ),
  ...guardsOf('actors/vault/http/sys/mounts.ts', edges,
    [
      'what a mount is one learns who may use it', 'if (!found || !acl.reaches(found.path)) throw', 'if (!found) throw',
      'who may use a mount may ask what it is, as clients do before they use it, and nobody else',
    ],
  ),
  ...guardsOf('actors/vault/http/times.ts', edges,
    [
      'a short life has an end', 'seconds > 0 ? Math.max(1, Math.floor(seconds)) : 0', 'Math.floor(seconds)',
      'a life below a second is one, and not a life without an end',
    ],
  ),
  ...guardsOf('actors/vault/http/tokens/roles.ts', edges,
    [
      'a role forbids the default policy', "noDefaultPolicy: noDefaultPolicy || isForbidden('default')",
      'noDefaultPolicy', 'a role that forbids the default policy gives tokens without it',
    ],
  ),
  ...guardsOf('actors/vault/http/tokens/create.ts', edges,
    [
      'sudo is for the path of the request', "acl.capabilities(request.path).has('sudo')",
      "acl.capabilities(path).has('sudo')",
      'sudo on what a role calls its tokens is no sudo on the path that makes them',
    ],
  ),
  ...guardsOf('actors/vault/seal/generate-root.ts', edges,
    [
      'a one-time pad fits a token', '|| !/^[\\x21-\\x7e]*$/.test(otp)', '',
      'a one-time pad that no token fits is refused before anybody gives a share',
    ],
  ),
  ...guardsOf('actors/vault/pki/terms.ts', edges, [
    'a mount bounds its certificates', ', life?.maxTtl || Infinity)', ')',
    'no certificate of a mount lives longer than the mount is tuned to, whatever its roles say',
  ]),
]
