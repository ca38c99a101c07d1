import type { HttpRequest, HttpResponse } from '../runtime/platform/ports.ts'
import type { LiveZone } from './actors/live-zone.ts'
import { OriginalsClient, type Pair, type Post } from './krpc-client.ts'

const encoder = new TextEncoder()

/** One request to the gateway of a zone in virtual time, from another machine. */
export const ask = (
  { zone, world }: LiveZone, path: string, body: string | Uint8Array = '', changes: Partial<HttpRequest> = {},
): Promise<HttpResponse> => world.http(zone.config.host, zone.address.port, {
  method: 'POST', path, query: '', headers: { 'content-type': 'application/json' },
  body: typeof body === 'string' ? encoder.encode(body) : body, remoteAddress: '192.0.2.7', ...changes,
})

export const postTo = (live: LiveZone): Post => async (path, body) => {
  const { status, body: text } = await ask(live, path, body)
  return { status, text: text as string }
}

/** A session of the owner as a person, in the command line's app. */
export async function loggedIn(live: LiveZone) {
  const post = postTo(live)
  const user = (await live.zone.firstPassword())!
  const hub = new OriginalsClient(post, 'verify-hub')
  const login = { type: 'password', username: user.username, password: user.password, appid: 'console' }
  const pair = await hub.call('login_by_password', login) as Pair
  const client = (service: string, token: string | null = pair.session_token): OriginalsClient =>
    new OriginalsClient(post, service, token)
  return { post, hub, pair, client, login, ...user }
}
