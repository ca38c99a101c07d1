import type { Coverage } from './registry-verify-hub.ts'

/** Of the registry: limits of X.509. */
export const ofCertificates: Coverage = {
  'limits/certificates.test.ts': {
    'a request of as many bytes as the limit is read, one more is refused before it is': ['certificateBytes'],
    'a name has as many parts as the limit, a certificate as many extensions, and no more': [
      'certificateNameParts', 'certificateExtensions',
    ],
    'there are as many alternative names as the limit, of as many characters, and no more': [
      'certificateNames', 'certificateNameCharacters',
    ],
    'a list has as many serials as the limit, and is then still one message of a link': ['revokedSerials'],
    'a list of as many bytes as the limit is looked at, one more is refused before it is': ['revocationListBytes'],
  },
  'runtime/x509-chain.test.ts': {
    'a chain has at most as many certificates between leaf and root as the limit, and loops end': ['certificateChain'],
  },
}
