import { NotFound } from '../../../runtime/errors.ts'
import { noResource, type Area, type VaultHandlers } from '../guarded.ts'
import { NotInVault } from '../protocol.ts'

type Methods = 'status' | 'takeRecoveryShares' | 'seal' | 'unseal' | 'rotateBarrier' | 'auditHead'

/** The life of the seal. `given` are the shares, when this start has made the vault. */
export function sealHandlers(
  { core, guarded }: Area, given: readonly string[] | undefined,
): Pick<VaultHandlers, Methods> {
  let recoveryShares = given
  const absent = (): never => {
    throw new NotInVault('Not yet')
  }
  return {
    status: guarded.always('status', noResource, () => {
      const { unsealed } = core
      if (!unsealed) return { initialised: true, sealed: true, term: 0, threshold: 0, shares: 0, vaultId: '' }
      const { term, threshold, shares, vaultId } = unsealed
      return { initialised: true, sealed: false, term, threshold, shares, vaultId }
    }),
    takeRecoveryShares: guarded.always('takeRecoveryShares', noResource, () => {
      if (recoveryShares === undefined) {
        throw new NotFound('There are no recovery shares: they are given once, by the start that made the vault')
      }
      const taken = [...recoveryShares]
      recoveryShares = undefined
      return { shares: taken }
    }),
    seal: guarded.open('seal', noResource, () => {
      core.seal()
      return {}
    }),
    unseal: guarded.always('unseal', noResource, absent),
    rotateBarrier: guarded.open('rotateBarrier', noResource, absent),
    auditHead: guarded.open('auditHead', noResource, absent),
  }
}
