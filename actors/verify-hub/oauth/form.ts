import { limits } from '../../../runtime/limits.ts'
import { fault, type Request, type Response } from './answers.ts'

/** Parameters of a request; one without a value counts as left out (RFC 6749 §3.1). */
export type Form = Readonly<Record<string, string | undefined>>

const FORM_TYPE = /^application\/x-www-form-urlencoded *(; *charset="?utf-8"? *)?$/i
/** RFC 6749 appendix A: VSCHAR and space. */
const VALUE = /^[\x20-\x7e]*$/

/** The parameters, or why there are none. */
export function readForm({ headers, body, query = '' }: Request): { readonly form: Form } | { readonly no: Response } {
  const no = (description: string): { readonly no: Response } => ({ no: fault('invalid_request', description) })
  if (!FORM_TYPE.test(headers['content-type'] ?? '')) {
    return no('content-type must be application/x-www-form-urlencoded')
  }
  // There it would stand in logs (RFC 6749 §2.3.1)
  if (query !== '') return no('parameters are in the body, and none in the address')
  const form: Record<string, string | undefined> = Object.create(null)
  const seen = new Set<string>()
  for (const [name, value] of new URLSearchParams(body)) {
    if (seen.has(name)) return no('a parameter is there twice')
    if (seen.size >= limits.oauthParameters) return no(`there are more than ${limits.oauthParameters} parameters`)
    seen.add(name)
    if (!VALUE.test(value)) return no('a parameter holds other than visible ASCII and spaces')
    if (value !== '') form[name] = value
  }
  return { form }
}
