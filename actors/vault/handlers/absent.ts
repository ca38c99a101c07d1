import { noResource, type Area, type VaultHandlers } from '../guarded.ts'
import { NotInVault } from '../protocol.ts'

export type PkiMethods = 'ensureAuthorities' | 'authorities' | 'stepAuthority' | 'signCertificate' | 'certificates'
  | 'certificate' | 'revokeCertificate' | 'crl' | 'tidyCertificates' | 'roots'

/** Seam: in their place come the handlers of `pki/handlers.ts`. */
export function pkiHandlers({ guarded }: Area): Pick<VaultHandlers, PkiMethods> {
  const ofMount = ({ mount }: { readonly mount: string }): string => mount
  const absent = (): never => {
    throw new NotInVault('This vault has no certificates')
  }
  return {
    ensureAuthorities: guarded.open('ensureAuthorities', noResource, absent),
    authorities: guarded.open('authorities', ofMount, absent),
    stepAuthority: guarded.open('stepAuthority', ofMount, absent),
    signCertificate: guarded.open('signCertificate', ({ mount, role }) => `${mount}/${role}`, absent),
    certificates: guarded.open('certificates', ofMount, absent),
    certificate: guarded.open('certificate', ofMount, absent),
    revokeCertificate: guarded.open('revokeCertificate', ofMount, absent),
    crl: guarded.open('crl', ofMount, absent),
    tidyCertificates: guarded.open('tidyCertificates', ofMount, absent),
    roots: guarded.open('roots', noResource, absent),
  }
}
