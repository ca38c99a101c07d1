/** Where the limits of the vault's HTTP API are tested. */
import type { Coverage } from './registry-verify-hub.ts'

export const vaultHttp: Coverage = {
  'actors/vault-listener.test.ts': {
    'on loopback it begins without TLS, and turns to it on its port when there is an authority': [
      'vaultListenerRetryMs',
    ],
    'a certificate is renewed at a random point of 50 to 80 % of its life, and the connections go on': [
      'vaultListenerLookMs',
    ],
    'while the vault cannot certify what there is stays, and it is tried again': ['vaultRenewRetryMs'],
    'so many requests are handed on at once, each for a time, with the headers that the vault goes by': [
      'vaultHttpRequests', 'vaultHttpMs', 'vaultHttpHeader',
    ],
  },
  'limits/vault-http.test.ts': {
    'a path, a query, a list and JSON may be as long and deep as their limits, and no more': [
      'vaultHttpPath', 'vaultHttpParameters', 'vaultHttpWords', 'vaultHttpDepth',
    ],
    'a token lives as long as the limit and has as many uses; a longer life is cut, more are refused': [
      'vaultTokenSeconds', 'vaultTokenUses',
    ],
    'one sweep takes as many expired tokens as the limit, and the next ones take the others': ['vaultTokenSweep'],
    'while there are tokens that end, the vault looks for them at least as often as the limit says': [
      'vaultTokenSweepMs',
    ],
    'as many roles, policies and mounts as the limits are kept, and one more is refused': [
      'vaultTokenRoles', 'vaultPolicies', 'vaultMounts',
    ],
    'a policy is as long, has as many paths and is as deep as its limits, and no more': [
      'vaultPolicyCharacters', 'vaultPolicyRules', 'vaultPolicyDepth',
    ],
    'more policies than are kept ready decide all the same': [
      'vaultCompiledPolicies', 'vaultKeptEntries',
    ],
    'a secret keeps as many versions as the limit allows to ask for': ['vaultKvVersions'],
    'a list has as many names as the limit, and says where to go on; pages of the store do not bound it': [
      'vaultListNames', 'vaultListPage',
    ],
    'a mount with more entries than one transaction takes goes whole': ['vaultClearBatch'],
  },
  'vault-http.test.ts': {
    'what is too large, or no HTTP, or no text is refused in the words of the API, and the next one is served': [
      'vaultHttpBody',
    ],
  },
}
