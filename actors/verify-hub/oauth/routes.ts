import type { CallContext } from '../../../runtime/actor.ts'
import type { SystemConfig } from '../../system-config/protocol.ts'
import type { Vault } from '../../vault/protocol.ts'
import type { Hub } from '../hub.ts'
import type { Caller } from '../login.ts'
import { oauthPath } from '../protocol.ts'
import { fault, faultOf, json, kept, type Request, type Response } from './answers.ts'
import { readForm, type Form } from './form.ts'
import { answerIntrospection } from './introspect.ts'
import { jwks, metadata } from './metadata.ts'
import { answerRevocation } from './revoke.ts'
import { answerToken } from './token.ts'

type Cx = CallContext<{ systemConfig: typeof SystemConfig; vault: typeof Vault }>
type Read = (hub: Hub, caller: Caller, request: Request) => Promise<Response>
type Post = (hub: Hub, caller: Caller, request: Request, form: Form) => Promise<Response>

const document: Read = async (_hub, _caller, { origin }) => kept(metadata(origin))

const reads: Readonly<Record<string, Read>> = {
  [oauthPath.openid]: document,
  [oauthPath.metadata]: document,
  async [oauthPath.jwks](hub, { systemConfig }) {
    await hub.zone.refresh(systemConfig)
    return kept(jwks(hub), 'application/jwk-set+json')
  },
}

const posts: Readonly<Record<string, Post>> = {
  [oauthPath.token]: answerToken,
  [oauthPath.introspect]: answerIntrospection,
  [oauthPath.revoke]: answerRevocation,
}

/** OAuth as stock clients and resource servers speak it. Who comes this way has shown no key of their own. */
export const http = (hub: Hub) => async (request: Request, { peer, systemConfig, vault }: Cx): Promise<Response> => {
  if (peer.runtimeType !== 'gateway') {
    const detail = `HTTP by ${peer.actor} on ${peer.host}`
    throw hub.deny({ layer: 'link', reason: 'login/presenter', rule: 'verify-hub/http', detail })
  }
  const caller: Caller = { peer, systemConfig, vault, keyless: true }
  const { method, path } = request
  const [read, post] = [reads, posts].map((table) => (Object.hasOwn(table, path) ? table[path] : undefined)) as [
    Read | undefined, Post | undefined,
  ]
  const only = (allow: string): Response => fault('invalid_request', `Only ${allow} is answered here`, 405, { allow })
  try {
    if (read) return method === 'GET' || method === 'HEAD' ? await read(hub, caller, request) : only('GET, HEAD')
    if (!post) return json(404, { error: 'not_found' })
    if (method !== 'POST') return only('POST')
    const given = readForm(request)
    return 'no' in given ? given.no : await post(hub, caller, request, given.form)
  } catch (error) {
    return faultOf(error)
  }
}
