/** Where the limits of the sign-in by browser, and of the apps behind the gateway, are tested. */
export const web: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  'local-ways.test.ts': {
    'a socket that is used, or was told of a moment ago, never leads to another service': ['localWays', 'localWayMs'],
  },
  'limits/web.test.ts': {
    'of more sign-ins than may wait the oldest is ended': ['signInCodes'],
  },
  'web-apps.test.ts': {
    'a service that is down, slow or silent is told as that, and holds nobody for ever': [
      'forwardMs', 'forwardSilenceMs',
    ],
    'as many requests as the limit are handed on at once, and one more is refused until there is place': ['forwards'],
  },
  'web-session.test.ts': {
    'a session is one of verify-hub, for this app, that lives: anything else is sent to sign in': ['signInMs'],
  },
  'web-sign-in.test.ts': {
    'takes a password from its own page only, as the page was given to this browser': ['signInBytes'],
    'a code is good once, for the browser that began, at the host of the app, for a minute': ['signInCodeMs'],
  },
}
