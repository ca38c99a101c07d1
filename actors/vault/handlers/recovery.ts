import { limits } from '../../../runtime/limits.ts'
import { InvalidArgument } from '../../../runtime/errors.ts'
import type { Unsealed } from '../core.ts'
import type { Area, VaultHandlers } from '../guarded.ts'
import type { Pki } from '../pki/pki.ts'
import { notInVault } from '../pki/refused.ts'
import { sealedExtract, takeOver } from '../recovery.ts'

/** What lets a zone come back when its etcd, and with it the vault, is out of reach. */
export function recoveryHandlers(
  { core, guarded }: Area, mountsOf: (vault: Unsealed) => ReadonlyMap<string, Pki>,
): Pick<VaultHandlers, 'sealAuthority' | 'recordCertificates'> {
  const ofMount = ({ mount }: { readonly mount: string }): string => mount
  return {
    sealAuthority: guarded.open('sealAuthority', ofMount, async ({ mount }, { note }) => {
      note({ mount })
      return { sealed: await sealedExtract(core.ports.store, mount) }
    }),
    recordCertificates: guarded.open('recordCertificates', ofMount, async (
      { mount, certificates }, { vault, peer, note },
    ) => {
      const pki = mountsOf(vault).get(mount)
      if (!pki) throw notInVault('mount of certificates', mount)
      if (certificates.length > limits.unrecordedCertificates) {
        throw new InvalidArgument(`At most ${limits.unrecordedCertificates} certificates are taken over at once`)
      }
      const taken = await takeOver(pki, certificates, `${peer.actor}@${peer.host}`)
      note({ mount, ...taken })
      return taken
    }),
  }
}
