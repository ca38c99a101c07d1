/** Of `limits`: what bounds the registration of hosts that join. */
export const registrationLimits = {
  /** Certificates of enrolment keys that one reader of device documents remembers; others are checked each time. */
  enrolmentStandings: 64,
  /** Certificates of one host that count beside the newest; an older one opens nothing, revoked or not. */
  hostCertificates: 16,
  /** Next certificates of one host in a window of so many milliseconds; one more is Overloaded with `retryMs`. */
  hostRenewals: 30,
  hostRenewalMs: 3_600_000,
  /** Hosts whose certificates that count the listener remembers; the first known is forgotten then. */
  enrolmentKnownHosts: 4_096,
  /** Seconds after the end of its certificate for which a host still gets the next one by its device key alone. */
  joinRenewalSeconds: 30 * 86_400,
  /** Hosts of one page of those that joined. */
  joinedHostsPage: 256,
  /** Attempts to make `devices/{host}/doc` say what the vault says, against other writers; then Overloaded. */
  registrationAttempts: 8,
  /** Milliseconds until all hosts are looked at again, and until one that could not be put right is tried again. */
  registrationSweepMs: 600_000,
  registrationRetryMs: 2_000,
  /** Hosts that the command line lists; of more it says so. */
  clientHosts: 10_000,
  /** Milliseconds of a program that is asked about a join, characters that it may say, and those that are told on. */
  hookMs: 5_000,
  hookCharacters: 8_192,
  hookSaid: 200,
  /** Of it at the same time; one more is a no. */
  hooks: 4,
} as const
