/** What browsers come for: signing in at the gateway, and the apps behind it. */
import { guardsOf, type Guard } from '../guard.ts'

const page = 'takes a password from its own page only, as the page was given to this browser'
const code = 'a code is good once, for the browser that began, at the host of the app, for a minute'
const targets = 'leads to no address but pages of installed apps of this very gateway'
const good = 'a session is one of verify-hub, for this app, that lives: anything else is sent to sign in'
const ownPages = 'only pages of the app itself use the session, refresh it or end it'
const hosts = "a host name is one of ours or nobody's, and kRPC is answered under every one"
const none = 'a request that is none for a service is not handed on'
const told = 'a service is told who came and how by us alone, and gets nothing that belongs to the connection'
const cookies = 'a service sets cookies of its own host and none of ours'
const handed = 'as many requests as the limit are handed on at once, and one more is refused until there is place'
const slow = 'a service that is down, slow or silent is told as that, and holds nobody for ever'

export const web: readonly Guard[] = [
  ...guardsOf('actors/gateway/web/origins.ts', 'test/web-sign-in.test.ts',
    ['an address to return to is of the same scheme', "if (url.protocol !== `${scheme}:` || ", 'if (', targets],
    [
      'an address to return to names nobody', "url.username !== '' || url.password !== ''", 'false', targets,
    ],
    [
      'an address to return to is at this port', "if (place.kind !== 'app' || place.port !== port) return undefined",
      "if (place.kind !== 'app') return undefined", targets,
    ],
    ['an address to return to is no door of ours', "path.startsWith('/sso_') || ", '', targets],
    ['an address to return to has a length', 'address.length > TARGET_LENGTH', 'false', targets],
  ),
  ...guardsOf('actors/gateway/web/origins.ts', 'test/web-session.test.ts',
    [
      'only a proxy on this machine says HTTPS', "(LOOPBACK.test(remoteAddress) && headers['x-forwarded-proto'] === ",
      "(headers['x-forwarded-proto'] === ", good,
    ],
  ),
  ...guardsOf('actors/gateway/web/origins.ts', 'test/web-apps.test.ts',
    [
      'a host is below a name of ours', "if (dot < 0 || !bases.includes(base) || !isName(app)) return",
      'if (dot < 0 || !isName(app)) return', hosts,
    ],
    [
      'a host has one label before that', "if (dot < 0 || !bases.includes(base) || !isName(app)) return",
      'if (dot < 0 || !bases.includes(base)) return', hosts,
    ],
    [
      'an own host is one of ours', 'if (bases.includes(name) || ADDRESS.test(name)) return',
      "if (bases.includes(name) || !name.includes('localhost')) return", hosts,
    ],
  ),
  ...guardsOf('actors/gateway/web/sign-in.ts', 'test/web-sign-in.test.ts',
    ['a password comes from our own page', 'if (!isOwnPost(request, own.origin)) {', 'if (false) {', page],
    [
      'a page is of this browser',
      'if (held === undefined || !keys.equal(utf8.encode(held), utf8.encode(fields.form))) {',
      'if (false) {', page,
    ],
    [
      'a form is a form', "if (!FORM_TYPE.test(request.headers['content-type'] ?? '')) return", 'if (false) return',
      page,
    ],
    ['a form has a length', 'if (request.body.length > limits.signInBytes) {', 'if (false) {', page],
    [
      'a form has each field once', 'given.length === FIELDS.length && FIELDS.every(', 'FIELDS.every(', page,
    ],
    ['a sign-in has begun at an app', 'if (!STATE.test(state)) return redirect', 'if (false) return redirect', targets],
    [
      'an app to return to is installed', 'return target && await findApp(target.app) ? target',
      'return target ? target', targets,
    ],
  ),
  ...guardsOf('actors/gateway/web/pages.ts', 'test/web-sign-in.test.ts',
    [
      'a name is shown as text', 'value="${escape(username)}"', 'value="${username}"',
      'a wrong password, a user who is not active and a busy zone are told, and nobody is signed in',
    ],
    ['no page of others shows ours in itself', `"frame-ancestors 'none'",`, '', targets],
  ),
  ...guardsOf('actors/gateway/web/codes.ts', 'test/web-sign-in.test.ts',
    [
      'a code is taken once', 'kept.delete(name)\n      found.cancel()\n      return', 'found.cancel()\n      return',
      code,
    ],
    [
      'a code has its time', 'clock.after(limits.signInCodeMs, () => drop(name))',
      'clock.after(2 ** 30, () => drop(name))',
      code,
    ],
    [
      'what nobody fetched is ended', 'abandoned(found.signedIn)', '',
      'a sign-in that nobody fetches, or the wrong browser, leaves no session',
    ],
  ),
  ...guardsOf('actors/gateway/web/codes.ts', 'test/limits/web.test.ts',
    [
      'codes are few', 'if (kept.size >= limits.signInCodes) drop(', 'if (false) drop(',
      'of more sign-ins than may wait the oldest is ended',
    ],
  ),
  ...guardsOf('actors/gateway/web/session.ts', 'test/web-sign-in.test.ts',
    ['a code is for its host', 'if (target.origin !== place.origin || held', 'if (held', code],
    ['a code is for who began', 'held === undefined || stateOf(held) !== state', 'false', code],
    [
      'a code that the wrong browser brings leaves no session', 'abandon(pair)\n', '\n',
      'a sign-in that nobody fetches, or the wrong browser, leaves no session',
    ],
  ),
  ...guardsOf('actors/gateway/web/session.ts', 'test/web-session.test.ts',
    [
      'a session is used by its own pages', 'if (!mayUseSession(request, place.origin)) return', 'if (false) return',
      ownPages,
    ],
    [
      'a session is refreshed and ended by its own pages', 'return isOwnPost(request, place.origin) ? undefined :',
      'return true ? undefined :', ownPages,
    ],
    [
      'what changes a session is a POST', "if (request.method !== 'POST') return", 'if (false) return', ownPages,
    ],
    [
      'a session that is refused is not refreshed for ever',
      'if (pair && await subjectOf(pair.session_token, app) !== ',
      'if (pair && pair.session_token !== ', 'what is wrong with a session never sends a browser round in circles',
    ],
    [
      'a lost touch takes no session away',
      "if (!(error instanceof Denied) || error.details['reason'] !== 'policy/lapsed')",
      'if (error)', 'a gateway that has lost touch with the zone says so, and takes no session away',
    ],
    [
      'a session is judged at every request', 'const sub = await subjectOf(token, place.app)',
      "const sub = token && 'x'",
      'a session that has ended is refused at once, whatever the gateway has kept',
    ],
  ),
  ...guardsOf('actors/gateway/web/session.ts', 'test/web-apps.test.ts',
    ['a path is one', "if (!PATH.test(`${path}?${query}`)) return", 'if (false) return', none],
    ['methods are few', 'if (!METHODS.has(method)) return', 'if (false) return', none],
    ['nothing is upgraded', "if (headers['upgrade'] !== undefined) return", 'if (false) return', none],
    [
      'what begins as ours is ours', "path.startsWith('/sso_') ? text(404", 'false ? text(404', hosts,
    ],
    [
      'only what is placed here is asked', 'if (app.host === host) return await', 'if (true) return await',
      'a request for an app that another host runs is answered 503, and goes to nobody who listens here',
    ],
  ),
  ...guardsOf('actors/enrolment/tunnels/local-ways.ts', 'test/local-ways.test.ts',
    [
      'a way in use leads nowhere else', 'open === 0 && now', 'now',
      'a socket that is used, or was told of a moment ago, never leads to another service',
    ],
    [
      'a way leads nowhere else while somebody may be about to use it', '&& now - toldMs > limits.localWayMs', '',
      'a socket that is used, or was told of a moment ago, never leads to another service',
    ],
    [
      'a way is of one host', 'JSON.stringify([wanted.service, wanted.host, wanted.port])',
      'JSON.stringify([wanted.service])',
      'a socket for this user alone leads to one service of one host, and is the same for who asks again',
    ],
  ),
  ...guardsOf('actors/gateway/web/apps.ts', 'test/web-apps.test.ts',
    [
      'no kernel service is an app', "if (!http || kernel || appid !== name ||", 'if (!http || appid !== name ||',
      hosts,
    ],
    [
      'an app has its own name', "if (!http || kernel || appid !== name ||", 'if (!http || kernel ||', hosts,
    ],
    ['a gateway is not its own app', " || http.port === ownPort()", '', hosts],
  ),
  ...guardsOf('actors/gateway/web/cookies.ts', 'test/web-session.test.ts',
    [
      'a cookie that comes twice is none', "return found.length === 1 && found[0]![1] !== ''",
      "return found.length > 0 && found[0]![1] !== ''", good,
    ],
    [
      'by HTTPS a cookie of another host is none', "(scheme === 'https' ? `__Host-${name}` : name)", 'name', good,
    ],
    ['no script reads a cookie', '; HttpOnly; SameSite=Lax`', '; SameSite=Lax`', good],
    ['a cookie is for HTTPS', "+ (scheme === 'https' ? '; Secure' : '')", "+ ''", good],
  ),
  ...guardsOf('actors/gateway/web/cookies.ts', 'test/web-apps.test.ts',
    ['a service sees none of our cookies', '.filter(([name]) => !OURS.test(name))', '', told],
    ['a service sets none of our cookies', 'if (OURS.test(pair.trim())) return undefined', '', cookies],
    [
      "a service sets no cookies of others", '.filter((attribute) => !/^\\s*domain\\s*(?:=|$)/i.test(attribute))', '',
      cookies,
    ],
  ),
  ...guardsOf('actors/gateway/web/fetch-metadata.ts', 'test/web-session.test.ts',
    [
      'what changes something names its origin',
      "if (from === undefined || from === 'null') return site === 'same-origin'",
      'if (from === undefined) return true', ownPages,
    ],
    [
      'the origin is this one', 'return from === origin\n', 'return true\n', ownPages,
    ],
    [
      'another site is believed to be one', "if (site !== undefined && site !== 'same-origin') return false", '',
      ownPages,
    ],
    [
      'what a page of another origin reads is refused', 'if (from !== undefined && from !== origin) return false', '',
      ownPages,
    ],
    [
      'another site may lead here, no more', "return method === 'GET' && mode === 'navigate' && !WITHIN",
      'return !WITHIN', ownPages,
    ],
    ['no page stands within one of another app', "'embed', 'frame', 'iframe', ", "'embed', ", ownPages],
  ),
  ...guardsOf('actors/gateway/web/forward.ts', 'test/web-apps.test.ts',
    ['what is handed on is bounded', 'if (running >= limits.forwards) throw', 'if (false) throw', handed],
    ['what belongs to a connection stays there', '!HOP.has(name) && ', '', told],
    ['what a connection names stays there', ' && !named.has(name)', '', told],
    ['who came is told by us', '!TOLD_BY_US.test(name) && ', '', told],
    ['a service answers in time', 'withinMs: limits.forwardMs,', 'withinMs: 2 ** 30,', slow],
    [
      'a service is not silent for ever', 'clock.after(limits.forwardSilenceMs, end)', 'clock.after(2 ** 30, end)',
      slow,
    ],
    [
      'an answer has a status', 'if (status < 200 || status > 599) {', 'if (false) {',
      'an answer comes as it is, in pieces, without a body where there is none, and ends when it is left',
    ],
  ),
  ...guardsOf('actors/gateway/web/web.ts', 'test/web-apps.test.ts',
    [
      'a name that is not ours has no pages', "if (place.kind === 'unknown') return known || path === '/' ?",
      "if (place.kind === 'unknown') return false ?", hosts,
    ],
    ['a sign-in needs an origin', 'if (place.origin === undefined) return misdirected()', '', hosts],
  ),
  ...guardsOf('actors/verify-hub/service-token.ts', 'test/actors/verify-hub-service-token.test.ts',
    [
      'only gateways get tokens for services', "if (peer.runtimeType !== 'gateway') {", 'if (false) {',
      'are given to gateways only',
    ],
    [
      'a token for a service is none for the system', ' || isKernel(spec)) {', ') {',
      'are given for what the session names, and never for a service of the system',
    ],
    [
      'a token for a service is for one that answers HTTP', ' || !spec.http || ', ' || ',
      'are given for what the session names, and never for a service of the system',
    ],
    [
      'a token for a service is for its own app', 'spec?.appid !== audience', '!spec',
      'are given for what the session names, and never for a service of the system',
    ],
    [
      'a token for a service lives a minute', 'iat + LIFETIME_SECONDS', 'iat + 900',
      'are of the same session, for one service, bound to no key, and good for a minute',
    ],
    [
      'a token for a service is no way to a longer one', 'Math.min(iat + LIFETIME_SECONDS, checked.exp)',
      'iat + LIFETIME_SECONDS',
      'end with the token that they are asked for with, and are no way to a longer one',
    ],
    [
      'a token for a service is for who shows no key',
      '{ peer, systemConfig, keyless: true }', '{ peer, systemConfig }',
      'are given for a session that lives, by its session token, which is bound to no key',
    ],
  ),
  ...guardsOf('actors/system-config/krpc.ts', 'test/krpc-sdk.test.ts',
    [
      'a main_key that is text is compared', "typeof given === 'string' ? mainKeyIn(given) : given",
      "typeof given === 'string' ? undefined : given",
      'a main_key that is text is compared like an object, and is cut at its last colon',
    ],
    [
      'a main_key that is text has a revision', '(.+):(0|[1-9]\\d{0,15})$/', '(.+):?(.*)$/',
      'a main_key that is text is compared like an object, and is cut at its last colon',
    ],
  ),
  ...guardsOf('runtime/platform/http-exchange.ts', 'test/runtime/http-hostile.test.ts',
    [
      'a request names one host', 'if (namesTwo(this.#request)) return', 'if (false) return',
      'what is no HTTP is answered once, as JSON, and never reaches the handler',
    ],
  ),
]
