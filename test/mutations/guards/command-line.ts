/** What the command line keeps for its user alone, and what it signs. */
import { guardsOf, type Guard } from '../guard.ts'

export const commandLine: readonly Guard[] = [
  ...guardsOf('boot/client/user-key.ts', 'test/boot/sudo.test.ts',
    [
      'a key that others may read is not used', '(await terminal.mode(path) & OTHERS) !== 0', 'false',
      'a key is for its user alone: one that others may read is not used',
    ],
    [
      'others are the group as well', 'const OTHERS = 0o077', 'const OTHERS = 0o007',
      'a key is for its user alone: one that others may read is not used',
    ],
    [
      'a new key is written for its user alone', 'encoder.encode(key.exportPem(passphrase)), { mode: 0o600 }',
      'encoder.encode(key.exportPem(passphrase)), { mode: 0o644 }',
      'a key is for its user alone: one that others may read is not used',
    ],
    [
      'a passphrase encrypts a new key', 'key.exportPem(passphrase)', 'key.exportPem()',
      'a key that is missing, is none, or is encrypted is told of, and nothing of it is shown',
    ],
    [
      'a key that was refused is gone', 'if (!mayHaveHappened(error)) await', 'if (false) await',
      'a new key takes its place when the zone took it, is gone if refused, and kept when nobody knows',
    ],
    [
      'a key that the zone may know is kept', 'if (!mayHaveHappened(error)) await', 'await',
      'a new key takes its place when the zone took it, is gone if refused, and kept when nobody knows',
    ],
    [
      'a file of another name is not overwritten', '!replaces && await files.mode(place.name) !== undefined', 'false',
      'a new key takes its place when the zone took it, is gone if refused, and kept when nobody knows',
    ],
    [
      'the place of a key is below its folder', "if (!isName(user)) throw new Usage(`It is not the name of a user",
      "if (false) throw new Usage(`It is not the name of a user", 'keys lie beside the sessions, by zone and user',
    ],
  ),
  ...guardsOf('boot/client/sudo.ts', 'test/boot/sudo.test.ts',
    [
      'each sudo token has a number of its own', 'jti: toBase64url(random.bytes(16))',
      'jti: toBase64url(random.bytes(0)) || \'sudo\'',
      'a sudo token is what the matrix takes: for one callee, for 3 minutes, and no two are alike',
    ],
    [
      'a sudo token is for its callee alone', 'aud: [audience]', "aud: ['system-config']",
      'a passphrase is asked for where there is a terminal',
    ],
  ),
  ...guardsOf('boot/commands/sudo-able.ts', 'test/boot/sudo.test.ts',
    [
      'a hint repeats no value', "possible[command] && part !== undefined ? [command, part] : [command]",
      '[...args]', 'who is refused what sudo may do is told so, and no value that was typed is repeated',
    ],
  ),
]
