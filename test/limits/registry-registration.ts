import type { Coverage } from './registry-verify-hub.ts'

export const registration: Coverage = {
  'actors/registration.test.ts': {
    'as many certificates as the limit are remembered, and one that was forgotten counts again': ['enrolmentStandings'],
    'against other writers it tries as often as the limit': ['registrationAttempts'],
  },
  'actors/join-hosts.test.ts': {
    'by its device key a host gets the next certificate until 30 days after the last, forgotten or not': [
      'joinRenewalSeconds',
    ],
    'of a host that starts over and over as many certificates count as the limit, and the newest': [
      'hostCertificates',
    ],
  },
  'actors/join-revoked.test.ts': {
    'a host gets as many certificates in an hour as the limit, and is told when it gets the next': [
      'hostRenewals', 'hostRenewalMs',
    ],
    'the listener remembers as many hosts as the limit': ['enrolmentKnownHosts'],
  },
  'actors/join-limits.test.ts': {
    'all hosts are looked at again after the time of the limit, and sooner after a failure': [
      'registrationSweepMs', 'registrationRetryMs',
    ],
    'a program has the time of the limit, and is ended then': ['hookMs'],
    'a program may say as many characters as the limit, of which a few are told on': ['hookCharacters', 'hookSaid'],
    'as many programs as the limit are asked at a time; one more is a no, and others follow': ['hooks'],
    'the vault tells of as many hosts at a time as the limit': ['joinedHostsPage'],
    'the command line lists as many hosts as the limit, and says that there are more': ['clientHosts'],
  },
}
