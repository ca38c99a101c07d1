import { InvalidArgument, NotFound } from '../../../runtime/errors.ts'
import { fromBase64url } from '../../../runtime/trust/base64url.ts'
import type { Unsealed } from '../core.ts'
import { noResource, type Area, type VaultHandlers } from '../guarded.ts'
import { NotInVault } from '../protocol.ts'
import { reencrypt } from '../seal/reencrypt.ts'

type Methods = 'status' | 'takeRecoveryShares' | 'seal' | 'unseal' | 'rotateBarrier' | 'auditHead'

/** The life of the seal. */
export function sealHandlers({ start, audit, life, guarded }: Area): Pick<VaultHandlers, Methods> {
  const { log } = start
  const reseal = async (vault: Unsealed): Promise<void> => {
    const { seen, resealed } = await reencrypt(start, vault, start.stopping)
    log.info('Entries of older terms were sealed anew', { term: vault.term, seen, resealed })
    await audit.record({ kind: 'vault', method: 'reencrypt', outcome: 'done', about: { seen, resealed } })
  }
  return {
    status: guarded.always('status', noResource, async () => {
      const { initialised, sealed, term, threshold, shares, vaultId } = await life.status()
      return { initialised, sealed, term, threshold, shares, vaultId }
    }),
    takeRecoveryShares: guarded.always('takeRecoveryShares', noResource, async (_, call) => {
      await call.audit({})
      const shares = life.takeShares()
      if (shares) return { shares: [...shares] }
      throw new NotFound('There are no recovery shares: they are given once, by the start that made the vault')
    }),
    seal: guarded.open('seal', noResource, async () => {
      await life.seal()
      return {}
    }),
    unseal: guarded.always('unseal', noResource, async ({ share, reset }, { note }) => {
      if (share !== undefined && reset) throw new InvalidArgument('A share, or reset: not both')
      const after = share !== undefined ? await life.unsealBy(shareIn(share))
        : { ...(reset ? await life.reset() : await life.unsealByKey()), duplicate: false }
      const { sealed, progress, threshold, shares, duplicate } = after
      note({ sealed, progress, duplicate })
      return { sealed, progress, threshold, shares, ...(duplicate ? { duplicate } : {}) }
    }),
    rotateBarrier: guarded.open('rotateBarrier', noResource, async ({ reencrypt: all }, { vault, note }) => {
      const term = await vault.terms.rotate()
      note({ term })
      log.info('The barrier has a new term', { term })
      // It stands on what is durable: what a stop or a failure leaves old, the next one does
      if (all) {
        start.background(() => reseal(vault).catch((error: Error) =>
          log.warn(`Entries of older terms were left as they are: ${error.message}`)))
      }
      return { term }
    }),
    auditHead: guarded.open('auditHead', noResource, async ({}, { vault }) => {
      const [first] = await vault.namedKeys.versions('audit')
      if (!first) throw new NotInVault('This vault keeps no audit')
      const { seq: sequence, hash } = audit.durable
      return { kid: first.kid, publicKey: first.publicKey, sequence, hash }
    }),
  }
}

function shareIn(text: string): Uint8Array {
  const share = fromBase64url(text)
  if (!share) throw new InvalidArgument('A share is base64url')
  return share
}
