/**
 * Numbers of the documented sign-in by browser (seed: User (Web), Gateway), in the sequence `web-sign-in`. The gateway
 * marks what it receives; what it sent before each is in `boot/sequences.ts` as well.
 */
export const webStep = {
  /** A browser asked an app's host for a page, and had no session. */
  pageAsked: 1,
  /** It came to the zone's own host for the sign-in page. */
  signInAsked: 2,
  /** It sent a name and a password, from that page. */
  passwordReceived: 3,
  /** verify-hub gave a pair for that user in that app. */
  pairReceived: 4,
  /** The browser brought the code to the app's host. */
  codeReceived: 5,
  /** It asked again, with the session in its cookie. */
  sessionReceived: 6,
  /** verify-hub gave a token for that app alone. */
  serviceTokenReceived: 7,
  /** The service answered the request that had this token. */
  serviceAnswered: 8,
  /** The app's page asked for a new pair. */
  refreshAsked: 9,
  /** It asked for the session to end. */
  logoutAsked: 10,
} as const

export const WEB_SEQUENCE = 'web-sign-in'
