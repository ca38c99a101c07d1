import { bare, type Answer } from '../answer.ts'
import type { OpenCx, Route } from '../route.ts'
import { shareOf, sharesTold, splitOf } from './shares.ts'

async function status({ operator: { rekey } }: OpenCx): Promise<Answer> {
  const { nonce, shares, threshold, progress, required, verify, verificationNonce } = await rekey.status()
  return bare({
    backup: false, n: shares, nonce, pgp_fingerprints: null, progress, required, started: nonce !== '', t: threshold,
    verification_required: verify, ...(verificationNonce === '' ? {} : { verification_nonce: verificationNonce }),
  })
}

async function verification({ operator: { rekey } }: OpenCx): Promise<Answer> {
  const { verificationNonce: nonce, shares, threshold, verificationProgress } = await rekey.status()
  return bare({ n: shares, nonce, progress: verificationProgress, started: nonce !== '', t: threshold })
}

/** Without a token: the shares are what lets one in. */
export const rekeyRoutes: readonly Route[] = [
  {
    path: 'sys/rekey/init', open: true,
    on: {
      read: status,
      async update(cx) {
        const verify = cx.fields.flag('require_verification') ?? false
        await cx.operator.rekey.begin({ ...splitOf(cx.fields), verify })
        return status(cx)
      },
      delete({ area: { core }, operator: { rekey } }) {
        core.open()
        rekey.cancel()
        return undefined
      },
    },
  },
  {
    path: 'sys/rekey/update', open: true,
    on: {
      async update(cx) {
        const { fields, operator: { rekey } } = cx
        const nonce = fields.needed('nonce')
        const { verify } = await rekey.status()
        const step = await rekey.offer(nonce, shareOf(fields))
        if (!step.complete) return status(cx)
        return bare({
          ...sharesTold(step.shares), backup: false, complete: true, nonce, pgp_fingerprints: null,
          verification_required: verify, ...(verify ? { verification_nonce: step.verificationNonce } : {}),
        })
      },
    },
  },
  {
    path: 'sys/rekey/verify', open: true,
    on: {
      read: verification,
      async update(cx) {
        const { fields, operator: { rekey } } = cx
        const nonce = fields.needed('nonce')
        const { complete } = await rekey.verify(nonce, shareOf(fields))
        return complete ? bare({ complete, nonce }) : verification(cx)
      },
    },
  },
]
