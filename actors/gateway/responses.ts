import type { HttpResponse } from '../../runtime/platform/ports.ts'

const security = {
  'cache-control': 'no-store', 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer',
  'content-security-policy': [
    "default-src 'none'", "style-src 'unsafe-inline'",
    "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'",
  ].join('; '),
}

export const html = (status: number, body: string): HttpResponse =>
  ({ status, headers: { ...security, 'content-type': 'text/html; charset=utf-8' }, body })

export const text = (status: number, body: string, headers: Readonly<Record<string, string>> = {}): HttpResponse =>
  ({ status, headers: { ...security, ...headers, 'content-type': 'text/plain; charset=utf-8' }, body })
