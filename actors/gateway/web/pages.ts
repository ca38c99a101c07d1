import type { HttpResponse, Keys } from '../../../runtime/platform/ports.ts'
import { toBase64url } from '../../../runtime/trust/base64url.ts'
import { escape } from '../boot-page.ts'
import type { Target } from './origins.ts'

/** The pages of the sign-in: no script, nothing loaded from elsewhere, one style whose digest the policy names. */

export interface SignInForm {
  readonly target: Target
  readonly state: string
  /** Also in a cookie. */
  readonly form: string
  readonly username: string
}

export interface Link {
  readonly href: string
  readonly text: string
}

export interface Pages {
  /** @param message why it is shown again */
  signIn(status: number, form: SignInForm, message?: string): HttpResponse
  note(status: number, title: string, text: string, link?: Link): HttpResponse
}

const style = `
:root { color-scheme: light dark; --ink: #1b2430; --soft: #5b6675; --line: #c9d0d9; --ground: #eef1f5; --card: #fff;
  --accent: #1f5fbf; --on-accent: #fff; --bad: #a01c1c; --bad-ground: #fdecec }
@media (prefers-color-scheme: dark) { :root { --ink: #e7ecf2; --soft: #9ba7b6; --line: #3a4656; --ground: #11161d;
  --card: #1a212b; --accent: #7fb0ff; --on-accent: #0b1626; --bad: #ffb3b3; --bad-ground: #3a1a1c } }
* { box-sizing: border-box }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1.5rem; color: var(--ink);
  background: var(--ground); font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif }
main { width: 100%; max-width: 24rem; padding: 2rem; background: var(--card); border: 1px solid var(--line);
  border-radius: 12px }
h1 { margin: 0; font-size: 1.5rem; line-height: 1.25 }
p { margin: .5rem 0 0; overflow-wrap: anywhere }
p.where { color: var(--soft) }
p.where strong { color: var(--ink) }
p.alert { margin-top: 1.25rem; padding: .65rem .8rem; color: var(--bad); background: var(--bad-ground);
  border-left: 4px solid currentColor; border-radius: 4px }
label { display: block; margin-top: 1.25rem; font-weight: 600 }
input { display: block; width: 100%; margin-top: .3rem; padding: .6rem .7rem; font: inherit; color: inherit;
  background: transparent; border: 1px solid var(--line); border-radius: 8px }
button, a.button { display: block; width: 100%; margin-top: 1.75rem; padding: .7rem; font: inherit; font-weight: 600;
  text-align: center; text-decoration: none; color: var(--on-accent); background: var(--accent); border: 0;
  border-radius: 8px; cursor: pointer }
input:focus-visible, button:focus-visible, a:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px }
`

export function createPages({ zone, keys }: { zone: string; keys: Keys }): Pages {
  const digest = toBase64url(keys.hash(new TextEncoder().encode(style)))
  // A policy names digests in the other alphabet
  const styleSource = `'sha256-${digest.replaceAll('-', '+').replaceAll('_', '/')}='`

  /** `formsTo`: where a form may lead, redirects included. */
  const page = (status: number, title: string, body: string, formsTo: string): HttpResponse => ({
    status,
    headers: {
      'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store', 'x-content-type-options': 'nosniff',
      // Without it the form would be sent from the origin `null`
      'referrer-policy': 'same-origin',
      'x-frame-options': 'DENY', 'cross-origin-opener-policy': 'same-origin',
      'content-security-policy': [
        "default-src 'none'", `style-src ${styleSource}`, `form-action ${formsTo}`, "frame-ancestors 'none'",
        "base-uri 'none'",
      ].join('; '),
    },
    body: `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(title)} · ${escape(zone)}</title>
<style>${style}</style>
</head>
<body>
<main>
${body}
</main>
</body>
</html>
`,
  })

  return {
    signIn(status, { target, state, form, username }, message) {
      const hidden = (name: string, value: string): string =>
        `<input type="hidden" name="${name}" value="${escape(value)}">`
      // Who has the name already goes on with the password
      const [atName, atPassword] = username === '' ? [' autofocus', ''] : ['', ' autofocus']
      const alert = message === undefined ? '' : `<p class="alert" role="alert" id="why">${escape(message)}</p>\n`
      const why = message === undefined ? '' : ' aria-describedby="why"'
      return page(status, `Sign in to ${target.app}`, `<h1>Sign in to ${escape(target.app)}</h1>
<p class="where">Zone <strong>${escape(zone)}</strong></p>
${alert}<form method="post" action="/sso/login">
${hidden('redirect_url', target.origin + target.path)}
${hidden('state', state)}
${hidden('form', form)}
<label for="username">User name</label>
<input id="username" name="username" value="${escape(username)}" autocomplete="username" autocapitalize="none"
  spellcheck="false" maxlength="64" required${atName}>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" maxlength="1024"
  required${why}${atPassword}>
<button type="submit">Sign in</button>
</form>`, `'self' ${target.origin}`)
    },
    note: (status, title, text, link) => page(status, title, `<h1>${escape(title)}</h1>
<p class="where">${escape(text)}</p>${link ? `
<a class="button" href="${escape(link.href)}">${escape(link.text)}</a>` : ''}`, "'none'"),
  }
}
