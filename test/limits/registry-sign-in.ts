/** Of `coverage`: what bounds logins, tokens and the keys that sign them. */
export const signIn: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  'actors/vault-rotation.test.ts': {
    'a key has so many versions at a time, and when older ones are destroyed the next is made': ['vaultKeyVersions'],
  },
  'actors/verify-hub-rotation.test.ts': {
    'the new key signs once every enforcer must know it, in between both are accepted': ['enforcerLeaseMs'],
  },
  'http-oauth-bad-input.test.ts': {
    'a body, a header and a number of parameters at the limit are read, and one more is refused': [
      'httpHandedBody', 'httpHandedHeader', 'oauthParameters',
    ],
  },
}
