/**
 * Known defects of the originals in logins, trust and access: each is impossible here, and a test says so. What is
 * tried, what comes of it, and where.
 */
export interface Defect {
  /** Of the description of the originals. */
  readonly section: string
  readonly defect: string
  readonly tried: string
  readonly happens: string
  readonly file: string
  /** Name of the test there, or of the row of a table that a test goes through. */
  readonly test: string
}

type Row = readonly [section: string, defect: string, tried: string, happens: string, file: string, test: string]

const rows: readonly Row[] = [
  // Tokens
  [
    '2', 'a token that is a JSON object and no JWS is read', 'JSON serialisation', 'token/malformed',
    'test/attack-table.ts', 'RFC 7515 §7.2 JSON serialisation',
  ],
  [
    '2', 'aud may be text, and of an array the first counts', 'aud as text', 'token/claims', 'test/attack-table.ts',
    '§3.9 aud as text',
  ],
  ['2', 'an expired token is good for another minute', 'exp now', 'token/expired', 'test/attack-table.ts', 'exp now'],
  ['2', 'a token says not when it was issued', 'iat absent', 'token/claims', 'test/attack-table.ts', 'iat absent'],
  ['2', 'a token has no typ', 'typ absent', 'token/typ', 'test/attack-table.ts', '§3.11 typ absent'],
  [
    '2', 'a refresh token is known by its aud alone', 'each use as each other', 'token/typ or token/use',
    'test/runtime/trust-attacks.test.ts', 'each use presented as each other one is refused by every verifier',
  ],
  ['2', 'jti may be absent', 'jti absent', 'token/claims', 'test/attack-table.ts', 'jti absent'],
  [
    '10.2', 'an expired token is said to have a bad header', 'expired ten minutes ago', 'token/expired, with its age',
    'test/attack-table.ts', 'expired ten minutes ago',
  ],
  // verify-hub
  [
    '3.1', 'a private key is in the sources', 'sources are searched; verify-hub without a key',
    'none; it does not start', 'test/review.test.ts',
    'item 5: no private key is in production code, and verify-hub does not start without its own',
  ],
  [
    '3.3', 'the header says which key checks the token', 'kid as a path, a query, a name', 'token/kid',
    'test/attack-table.ts', '§3.10 kid absent',
  ],
  [
    '3.3', 'the issuer of an unchecked token is a key of kv://', 'iss that is no name', 'nothing is read',
    'test/actors/verify-hub.test.ts', 'a login token whose issuer is no name of a host asks for no key of kv://',
  ],
  [
    '3.3', 'a second login without a jti is a replay, one in the same second too', 'two logins in a second',
    'two sessions', 'test/actors/verify-hub.test.ts',
    'two login tokens of the same second and app are two logins, since a jti is not a time',
  ],
  [
    '9', 'a session is exchanged for a new pair of seven days', 'a session as a login', 'token/use',
    'test/actors/verify-hub.test.ts', 'every other kind of token is refused as a login, each for its own reason',
  ],
  [
    '9', 'a user key logs in as anybody', 'alice signs for bob, su_alice, root', 'token/subject',
    'test/attack-replay.test.ts',
    'a user key speaks for its user alone: not for another, not for su_ names, not for root',
  ],
  [
    '3.3', 'aud of a login token is not looked at', 'a login token for another', 'token/audience',
    'test/matrix-live.test.ts', '${name}: whatever is let in names it, and no other verifier',
  ],
  [
    '3.4', 'what is stored of a password is as good as the password', 'stores and kv:// are searched',
    'nothing there', 'test/actors/verify-hub-password.test.ts',
    'verifiers of passwords are in the vault alone, sealed, and no password is in any store',
  ],
  [
    '3.4', 'a guess costs no slow hash', 'wrong password, unknown user', 'one slow hash each',
    'test/actors/verify-hub-password.test.ts',
    'each attempt costs one slow hash, whoever it is for, and all failures look the same',
  ],
  [
    '3.5', 'verify_token knows nothing of sessions that ended', 'verified after logout', 'token/revoked',
    'test/actors/verify-hub-refresh.test.ts',
    'verify_token and verify_session say at once that a session has ended, before its token expires',
  ],
  [
    '3.5', 'a session that ended is good elsewhere until it expires', 'revoked, then shown to a service',
    'token/revoked', 'test/actors/enforcer.test.ts',
    'a session that verify-hub has ended is refused everywhere when the answer to that comes',
  ],
  [
    '3.5', 'a restart forgets every session', 'restart, then refresh', 'the same session',
    'test/actors/verify-hub-refresh.test.ts', 'a restart loses no session',
  ],
  [
    '3.5', 'a used login token is forgotten five minutes before it expires', 'used, 16 minutes later, restarted',
    'token/replayed', 'test/actors/verify-hub.test.ts',
    'a used login token stays burned until it expires: beyond the first session token, across a restart',
  ],
  [
    '3.5', 'reuse of a refresh token is not seen after a restart', 'a used refresh token', 'the session ends',
    'test/actors/verify-hub-refresh.test.ts',
    'a refresh token that comes back after its successor was used ends the session',
  ],
  [
    '3.6', 'verify-hub signs sudo for whoever has a password', 'a session that claims sudo', 'token/claims',
    'test/attack-table.ts', 'a claim that nobody knows',
  ],
  [
    '3.6', 'sudo needs no audience', 'sudo for two verifiers', 'token/audience', 'test/attack-replay.test.ts',
    'a user key speaks for its user alone: not for another, not for su_ names, not for root',
  ],
  // system-config
  ['4.2', 'who names no app is the kernel', 'appid absent', 'token/claims', 'test/attack-table.ts', 'appid absent'],
  [
    '4.2', 'a dump asks for the app only', 'dump without a right', 'rbac/no-rule',
    'test/actors/system-config-access.test.ts',
    'every way to read asks the policy: get, list, dump, watch, and the guard of a transaction',
  ],
  [
    '4.2', 'anybody refreshes the trust keys', 'without a token', 'token/absent', 'test/krpc.test.ts',
    'who may read gets the dump, the check and the trust keys; who may not is told so',
  ],
  [
    '4.1', 'the revision of main_key compares nothing', 'a stale revision', 'RevisionMismatch',
    'test/actors/system-config.test.ts',
    'a failed main key says which revision was expected and which is there, and comes before all else',
  ],
  [
    '4.1', 'keys are tidied up: dots, backslashes, six letters too many', 'each spelling', 'InvalidKey',
    'test/krpc.test.ts', 'a key has one spelling: what escapes or could be read in two ways is refused, never tidied',
  ],
  [
    '4.1', 'a JSON path through what is no object is a panic', 'paths through arrays, numbers, prototypes',
    'InvalidPath', 'test/actors/system-config.test.ts',
    'a JSON path makes the objects on its way, walks nothing but objects, and never reaches a prototype',
  ],
  [
    '4.3', 'the key of an unknown kid is read from devices/{kid}/doc', 'another device, before and after boot',
    'token/unknown-key', 'test/review.test.ts',
    'item 3: boot phase trusts one key, normal phase three, and none is loaded by its kid',
  ],
  [
    '4.3', 'a device document is read without the owner’s signature', 'documents of other signers', 'login refused',
    'test/actors/verify-hub.test.ts',
    'a device is registered only by a document that the owner key signed, for this zone and this name',
  ],
  [
    '4.3', 'an admin’s own key signs sessions', 'a session by a user key', 'token/key-reason',
    'test/attack-replay.test.ts', 'a user key signs sudo tokens alone',
  ],
  [
    '4.3', 'any trusted key signs for anybody', 'a device that speaks for kernel, root, a user', 'token/subject',
    'test/attack-replay.test.ts', 'a device signs for itself alone, at system-config and at verify-hub',
  ],
  [
    '4.3', 'trust does not follow every write of boot/config', 'keys are taken out', 'refused at once',
    'test/actors/system-config-trust.test.ts',
    'a key that is taken out of boot/config is not trusted for one more call, not even on an open link',
  ],
  [
    '4.3', 'boot phase has no end', 'boot/config vanishes', 'boot tokens stay refused',
    'test/actors/system-config-trust.test.ts',
    'when boot/config vanishes from a running zone, boot phase does not come back',
  ],
  [
    '4.2', 'aud is not asked for at system-config', 'a token for another', 'token/audience',
    'test/matrix-live.test.ts', '${name}: whatever is let in names it, and no other verifier',
  ],
  // Access
  [
    '5.3', 'the policy that is written is not the one that is read', 'a damaged policy', 'the old one stays',
    'test/attack-http.test.ts', 'a policy with a mistake in it is refused whole, and the old one stays',
  ],
  [
    '5.3', 'manual lines are lost when the scheduler writes', 'lines written meanwhile', 'kept',
    'test/actors/scheduler.test.ts', 'loses no line of the policy that was written while it made its own',
  ],
  [
    '5.2', 'a policy holds after ten or thirty seconds', 'a write, then a call',
    'it holds when the write is answered', 'test/actors/enforcer.test.ts',
    'a write of the policy is answered when every enforcer goes by it',
  ],
  [
    '5.4', 'names of sudo can be registered', 'a password for su_alice', 'login refused',
    'test/actors/verify-hub-password.test.ts',
    'no password logs anybody in as root, or under a name of the sudo rule',
  ],
  [
    '6', 'anybody makes the scheduler run', 'no session, and one of no admin', 'token/absent, rbac/no-rule',
    'test/krpc.test.ts', 'only a session that may operate the host runs the scheduler',
  ],
  [
    '1.5', 'the first write is many writes in any order', 'many boots at once', 'one transaction, one winner',
    'test/actors/system-config-boot.test.ts',
    'of many boot transactions at once one wins, and nothing of the others is written',
  ],
  // Node daemon
  [
    '7', 'the boot token goes on to be a session of the kernel', 'the boot token after boot', 'token/use',
    'test/actors/system-config-boot.test.ts',
    'after the boot transaction a boot token is good for nothing, even on the link that booted',
  ],
  [
    '7', 'a service that restarts has a dead token', 'the token of its ENV is spent', 'the daemon makes another',
    'test/actors/session.test.ts',
    'when the token of the ENV is missing, expired or used by another, the node daemon makes a new one',
  ],
  [
    '7', 'tokens are exchanged after five seconds', 'the order of the boot', 'at once, in parallel',
    'test/review.test.ts', 'item 6: a service exchanges its login token at once, and all of them in parallel',
  ],
  [
    '7', 'an OOD logs in at verify-hub as a node does', 'a login for the daemon of an OOD', 'login/role',
    'test/actors/node-login.test.ts',
    'an OOD, another subject, another link and a host without a document are refused',
  ],
  // Gateway
  [
    '0', 'the trace id of an answer is taken for a new token', 'number and trace id', 'they come back as they were',
    'test/krpc.test.ts', 'number and trace id come back; parameters, token and sys may be absent',
  ],
  [
    '8.2', 'a header or a cookie says who calls a kernel service', 'Bearer and cookies', 'token/absent',
    'test/krpc.test.ts', 'headers and cookies say nothing about who speaks',
  ],
  // Trust by runtime type
  [
    '9', 'each runtime trusts the device key', 'a device key at a service, a kernel service, a node',
    'token/unknown-key', 'test/review.test.ts',
    'item 7: services trust verify-hub and root, ask iss, use and audience, and know no device',
  ],
  [
    '9', 'an unknown kid falls back to the root key', 'a kid that nobody knows', 'token/unknown-key',
    'test/attack-table.ts', '§3.10 kid of another key that is not trusted',
  ],
  [
    '9', 'five verifiers choose keys by four rules', 'sources are searched', 'one function checks tokens',
    'test/defects.test.ts', 'one function checks tokens, and nothing else reads a signature of one',
  ],
  [
    '9', 'iss, use and audience are not asked for', 'every cell of the matrix', 'as the design says',
    'test/matrix.test.ts', 'every combination of verifier, phase and token is accepted exactly where the design says',
  ],
]

export const defects: readonly Defect[] = rows.map(([section, defect, tried, happens, file, test]) =>
  ({ section, defect, tried, happens, file, test }))
