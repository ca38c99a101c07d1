import { toBase64url } from '../../../../runtime/trust/base64url.ts'
import { bare, type Answer } from '../answer.ts'
import { rootToken } from '../operator.ts'
import type { OpenCx, Route } from '../route.ts'
import { TOKEN_CHARACTERS } from '../tokens/names.ts'
import { shareOf } from './shares.ts'

interface Told {
  readonly otp?: string
  readonly encoded?: string
  readonly nonce?: string
}

async function status({ operator: { generateRoot } }: OpenCx, { otp = '', encoded = '', nonce }: Told = {}) {
  const found = await generateRoot.status()
  return bare({
    complete: encoded !== '', encoded_root_token: encoded, encoded_token: encoded, nonce: nonce ?? found.nonce, otp,
    otp_length: TOKEN_CHARACTERS, pgp_fingerprint: '', progress: encoded === '' ? found.progress : found.required,
    required: found.required, started: found.nonce !== '' || encoded !== '',
  })
}

async function update(cx: OpenCx): Promise<Answer> {
  const { fields, operator: { generateRoot }, area: { core }, openServices } = cx
  const nonce = fields.needed('nonce')
  const make = async (): Promise<string> => rootToken(await openServices(core.open()))
  const step = await generateRoot.offer(nonce, shareOf(fields), make)
  if (!step.complete) return status(cx)
  const encoded = toBase64url(step.encoded).replaceAll('-', '+').replaceAll('_', '/')
  return status(cx, { encoded, nonce })
}

/** Without a token: the shares are what lets one in. */
export const generateRootRoutes: readonly Route[] = [
  {
    path: 'sys/generate-root/attempt', open: true,
    on: {
      read: (cx) => status(cx),
      async update(cx) {
        const given = cx.fields.text('otp')
        const { otp } = await cx.operator.generateRoot.begin(given || undefined)
        // Who has given it knows it
        return status(cx, given ? {} : { otp })
      },
      delete({ area: { core }, operator: { generateRoot } }) {
        core.open()
        generateRoot.cancel()
        return undefined
      },
    },
  },
  { path: 'sys/generate-root/update', open: true, on: { update } },
]
