/**
 * oidc-provider with one client that authenticates by a signed assertion (RFC 7523) and gets a signed access token
 * (RFC 9068), Ed25519 both: what a login by JWT is there. Prints its port.
 */
import { createServer } from 'node:http'

/** Of bench/package.json: only who runs this benchmark has it. */
const PEER = 'oidc-provider'
const { Provider } = await import(PEER)
const { clientJwk, serverJwk } = JSON.parse(process.argv[2])
const audience = 'urn:bench'
const provider = new Provider('http://127.0.0.1', {
  clients: [{
    client_id: 'bench', grant_types: ['client_credentials'], redirect_uris: [], response_types: [],
    id_token_signed_response_alg: 'Ed25519', token_endpoint_auth_method: 'private_key_jwt',
    token_endpoint_auth_signing_alg: 'Ed25519',
    jwks: { keys: [clientJwk] },
  }],
  jwks: { keys: [serverJwk] },
  clientAuthMethods: ['private_key_jwt'],
  enabledJWA: { clientAuthSigningAlgValues: ['Ed25519', 'EdDSA'] },
  features: {
    clientCredentials: { enabled: true }, devInteractions: { enabled: false },
    resourceIndicators: {
      enabled: true, defaultResource: () => audience, useGrantedResource: () => true,
      getResourceServerInfo: () => ({
        audience, scope: '', accessTokenFormat: 'jwt', jwt: { sign: { alg: 'Ed25519' } },
      }),
    },
  },
})
const server = createServer(provider.callback())
server.listen(0, '127.0.0.1', () => process.stdout.write(`${server.address().port}\n`))
