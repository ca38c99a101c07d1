/** Versions of a key in the vault, and which of them verify-hub reads, signs with and lets go. */
import { guardsOf, type Guard } from '../guard.ts'

const takenBack = 'the owner takes a new key back: the old one signs on, and the new one waits anew when it is named'

export const rotation: readonly Guard[] = [
  ...guardsOf('actors/vault/named-keys.ts', 'test/actors/vault-rotation.test.ts',
    [
      'the next version is made once', 'if (after) return { ...publicOf(after), created: false }', '',
      'the next version of a key is made once: for many callers, every retry, and after a restart',
    ],
    [
      'of two that write versions one is asked again',
      "barrier.commit([guard], [{ path: keyPath(name), value: { type: 'ed25519', versions } }])",
      "barrier.commit(guard && [], [{ path: keyPath(name), value: { type: 'ed25519', versions } }])",
      'the next version of a key is made once: for many callers, every retry, and after a restart',
    ],
    [
      'versions are few', 'if (versions.length >= limits.vaultKeyVersions) {', 'if (false) {',
      'a key has so many versions at a time, and when older ones are destroyed the next is made',
    ],
    [
      'an older grant is for every version', '(grant.kid ?? key.kid) === key.kid', 'grant.kid === key.kid',
      'who was given the key by a release that had one version is given none of them again',
    ],
    [
      'older versions are gone', 'if (await write(name, guard, versions.slice(place))) return place',
      'if (guard) return place',
      'versions before one are destroyed, that one and later ones stay, and again there is nothing to do',
    ],
  ),
  ...guardsOf('actors/verify-hub/signing-keys.ts', 'test/actors/verify-hub-rotation.test.ts',
    [
      'a new key waits until everybody knows it', 'sign(known ? newest ?? first! : first!)', 'sign(newest ?? first!)',
      'the new key signs once every enforcer must know it, in between both are accepted',
    ],
    [
      'a wait is of one announcement', 'mark?.kid === kid && mark.revision === revision', 'mark?.kid === kid',
      takenBack,
    ],
    [
      'a key that was taken back stops waiting',
      `if (stopping.aborted || waiting !== next) return
        await mark(next)
        // What boot/config names may have changed while the store was asked
        if (waiting !== next) return`,
      `if (stopping.aborted) return
        await mark(next)`,
      'a key that is taken back while it waits does not sign, and its wait does not shorten the next one',
    ],
    [
      'one reads at a time', 'const done = turn.then(work)', 'const done = work()',
      'verify-hub that slept through a whole rotation serves with the new key',
    ],
    [
      'what is named is not destroyed', 'destroyBefore(oldestFirst(kids)[0]!)',
      'destroyBefore(oldestFirst(kids).at(-1)!)',
      'when boot/config names the new key alone, the old one is destroyed in the vault',
    ],
    [
      'who was not heard by the vault ends', 'if (error instanceof Denied && held.size > 0) {', 'if (false) {',
      'a key whose answer was lost is given to the next incarnation: this one ends',
    ],
  ),
  ...guardsOf('actors/verify-hub/signing-keys.ts', 'test/actors/verify-hub-start.test.ts',
    [
      'every key that is named is in the vault', 'if (absent !== undefined) {', 'if (false) {',
      'verify-hub refuses to start when boot/config names a key beside its own that the vault lacks',
    ],
  ),
  ...guardsOf('actors/verify-hub/rotation.ts', 'test/actors/verify-hub-rotation.test.ts',
    [
      'who prepares a key is an administrator',
      "await hub.authority.demand(askers.of(cx), 'write', KEYS)", 'askers.of(cx)',
      'nobody else prepares a key: without a token, as a service, as an ordinary user, after a suspension',
    ],
    [
      'who sees the keys is an administrator',
      "await hub.authority.demand(askers.of(cx), 'read', KEYS)", 'askers.of(cx)',
      'nobody else prepares a key: without a token, as a service, as an ordinary user, after a suspension',
    ],
  ),
  ...guardsOf('actors/verify-hub/tokens.ts', 'test/actors/verify-hub-rotation.test.ts',
    [
      'its own session is by the key of now', 'key.public.kid === kidOf && ', '',
      'its own session with system-config goes over to the new key too',
    ],
  ),
  ...guardsOf('boot/sim/invariants/stores.ts', 'test/sim-boot-config.test.ts',
    [
      'a change of boot/config asks for root', 'if (!rootShown) no(', 'if (false) no(',
      'a boot/config that is written without a root token is seen',
    ],
    [
      'one root token is one change', 'rootShown = false\n  }\n  return', '}\n  return',
      'a boot/config that is written twice by one root token is seen',
    ],
  ),
]
