/**
 * A client as the originals' description has it: one POST a call, `{"method","params","sys":[number, token]}`, no
 * header says who speaks, and an answer has `result` or `error`. Written from that description, not from our code.
 */

export interface Posted {
  readonly status: number
  readonly text: string
}

/** Sends one body to one path. */
export type Post = (path: string, body: string) => Promise<Posted>

export class RpcError extends Error {
  readonly status: number
  /** Ours, beside the display text. */
  readonly code: string
  readonly details: Readonly<Record<string, unknown>>
  constructor(status: number, answer: { error: string; code?: string; details?: Record<string, unknown> }) {
    super(answer.error)
    this.status = status
    this.code = answer.code ?? ''
    this.details = answer.details ?? {}
  }
}

let sequence = 1_000

export class OriginalsClient {
  readonly #post: Post
  readonly #path: string
  token: string | null

  constructor(post: Post, service: string, token: string | null = null) {
    this.#post = post
    this.#path = `/kapi/${service}`
    this.token = token
  }

  async call(method: string, params: unknown): Promise<unknown> {
    const number = ++sequence
    const body = { method, params, sys: this.token === null ? [number] : [number, this.token] }
    const { status, text } = await this.#post(this.#path, JSON.stringify(body))
    const answer = JSON.parse(text) as { result?: unknown; error?: string; sys?: unknown[] }
    if (answer.error !== undefined) throw new RpcError(status, answer as { error: string })
    if (answer.sys?.[0] !== number) throw new Error(`The answer is to another request: ${text}`)
    if (status !== 200) throw new Error(`A result with status ${status}`)
    return answer.result
  }

  /** What the call is refused with. */
  async refusal(method: string, params: unknown): Promise<RpcError> {
    let result: unknown
    try {
      result = await this.call(method, params)
    } catch (error) {
      if (error instanceof RpcError) return error
      throw error
    }
    throw new Error(`It was answered: ${JSON.stringify(result)}`)
  }
}

export interface Pair {
  readonly session_token: string
  readonly refresh_token: string
  readonly sid: string
  readonly session_expires: number
}

interface Versioned { readonly value: string; readonly version: number }

/** What an app of the originals does in its first minute; answers with what it saw, to compare. */
export async function firstMinute(post: Post, user: { username: string; password: string }): Promise<string[]> {
  const seen: string[] = []
  const hub = new OriginalsClient(post, 'verify-hub')
  const login = { type: 'password', ...user, appid: 'console' }
  const first = await hub.call('login_by_password', login) as Pair & { user_info: Record<string, unknown> }
  seen.push(`login ${first.user_info['user_id']} ${first.user_info['user_type']} ${first.user_info['state']}`)
  seen.push(`verify ${await hub.call('verify_token', { session_token: first.session_token })}`)
  const pair = await hub.call('refresh_token', { refresh_token: first.refresh_token }) as Pair
  seen.push(`refresh ${pair.session_token !== first.session_token} ${pair.sid === first.sid}`)

  const config = new OriginalsClient(post, 'system_config', pair.session_token)
  const mine = `users/${user.username}/notes`
  const key = `${mine}/one`
  seen.push(`absent ${JSON.stringify(await config.call('sys_config_get', { key }))}`)
  await config.call('sys_config_create', { key, value: '{"a":1}' })
  await config.call('sys_config_set', { key: `kv://${mine}/two`, value: 'two' })
  await config.call('sys_config_append', { key: `obj://config/${mine}/two`, append_value: '+' })
  await config.call('sys_config_set_by_json_path', { key, json_path: '/b/c', value: '[2]' })
  const one = await config.call('sys_config_get', { key }) as Versioned
  const two = await config.call('sys_config_get', { key: `${mine}/two` }) as Versioned
  seen.push(`get ${one.value} ${two.value}`, `list ${await config.call('sys_config_list', { key: mine })}`)
  const actions = {
    [`${mine}/three`]: { action: 'create', value: '3' }, [`kv://${mine}/two`]: { action: 'remove' },
    [key]: { action: 'set_by_path', all_set: { '/a': null, 'd/e': true } },
  }
  await config.call('sys_config_exec_tx', { actions, main_key: { key, revision: one.version } })
  const after = await config.call('sys_config_get', { key }) as Versioned
  seen.push(`tx ${after.value} ${await config.call('sys_config_list', { key: mine })}`)
  const stale = await config.refusal('sys_config_exec_tx', {
    actions: { [key]: { action: 'update', value: '{}' } }, main_key: { key, revision: one.version },
  })
  seen.push(`stale ${stale.code} ${stale.message.replace(/\d+/g, 'N')}`)
  await config.call('sys_config_delete', { key })
  seen.push(`gone ${(await config.refusal('sys_config_append', { key, append_value: '' })).message}`)
  seen.push(`others ${(await config.refusal('sys_config_get', { key: 'security/verify-hub/key' })).message}`)
  seen.push(`logout ${await hub.call('logout', { refresh_token: pair.refresh_token })}`)
  const ended = await hub.refusal('verify_token', { session_token: pair.session_token })
  seen.push(`ended ${ended.status} ${ended.message}`)
  return seen
}

/** By the owner, in any zone. */
export const firstMinuteSeen = (username: string): readonly string[] => {
  const mine = `users/${username}/notes`
  return [
    `login ${username} admin active`, 'verify true', 'refresh true true', 'absent null',
    'get {"a":1,"b":{"c":[2]}} two+', 'list one,two', 'tx {"b":{"c":[2]},"d":{"e":true}} one,three',
    `stale RevisionMismatch Failed due to reason: revision mismatch for key ${mine}/one: expected N, actual N`,
    `gone Key not exist: ${mine}/one`,
    'others No permission:Only a token that the owner key signed may do this', 'logout true',
    'ended 401 Invalid token: The login session of the token has ended',
  ]
}
