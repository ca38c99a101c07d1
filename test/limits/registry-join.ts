import type { Coverage } from './registry-verify-hub.ts'

export const join: Coverage = {
  'actors/join-tokens.test.ts': {
    'a token is a secret of 256 bits that the vault does not keep': ['joinTokenSeconds'],
    'a token has a host, the role of a node or an OOD, a range that is one, and an end within a day': [
      'joinTokenSecondsMax',
    ],
    'a device gets a certificate for its host, and the same bytes again for the same request': [
      'joinCertificateSeconds',
    ],
    'there are as many tokens as the limit, and those long over give way to new ones': [
      'joinTokens', 'joinTokenKeptSeconds',
    ],
    'refusals of one token are counted up to the limit': ['joinTokenRefusals'],
  },
  'actors/enrolment.test.ts': {
    'a revoked certificate is refused as soon as the next list is asked for': ['enrolmentCrlMs'],
    'one address may ask as often as the limit in each window, and many addresses do not fill the memory': [
      'enrolmentPerSource', 'enrolmentWindowMs', 'enrolmentSources',
    ],
  },
  'join-hostile.test.ts': {
    'requests that are none, giant or slow are refused or cut, and others go on': [
      'enrolmentBodyBytes', 'enrolmentRequestMs', 'joinTokenCharacters', 'joinPemCharacters',
    ],
    'a clock that is off is named as such; by less than ten minutes it is allowed for': ['joinSkewMs'],
  },
  'join-retries.test.ts': {
    'what may pass is tried as often as the limit, at growing intervals with jitter, each for its time': [
      'joinAttempts', 'joinAttemptMs', 'joinRetryMsMin', 'joinRetryMsMax',
    ],
  },
  'runtime/http-tls.test.ts': {
    'a handshake has the time of the limit when nobody says': ['tlsHandshakeMs'],
  },
}
