/** Boot phase, sessions, permissions, transactions and keys. */
import { guardsOf, type Guard } from '../guard.ts'

export const systemConfig: readonly Guard[] = [
  ...guardsOf('actors/system-config/actor.ts', 'test/actors/system-config-access.test.ts',
    [
      'who links to system-config is in the matrix', 'return verdict.allowed', 'return true',
      'in boot phase only this host may link, and a stranger to the zone never',
    ],
  ),
  ...guardsOf('actors/system-config/environment.ts', 'test/actors/system-config-boot.test.ts',
    [
      'the zone document verifies', 'if (!zone.accepted) throw wrong', 'if (zone.accepted === undefined) throw wrong',
      'without ENV documents that fit each other, the zone and the host it does not start',
    ],
    [
      'the device document is of this host', 'if (device.zone !== self.zone || device.name !== self.host) {',
      'if (false) {', 'without ENV documents that fit each other, the zone and the host it does not start',
    ],
    [
      'system-config runs on an OOD', "if (device.role !== 'ood')", 'if (false)',
      'without ENV documents that fit each other, the zone and the host it does not start',
    ],
    [
      'the device key is not the owner key', 'if (thumbprint(keys, device.key) === thumbprint(keys, root)) {',
      'if (false) {', 'without ENV documents that fit each other, the zone and the host it does not start',
    ],
  ),
  ...guardsOf('actors/system-config/environment.ts', 'test/actors/system-config-guards.test.ts',
    [
      'the zone document is of this zone', 'if (zone.payload.zone !== self.zone)', 'if (false)',
      'a zone document of another zone is refused, though the device document is of this one',
    ],
  ),
  ...guardsOf('actors/system-config/json-path.ts', 'test/actors/system-config.test.ts',
    [
      'a JSON path has no reserved segment', 'if (REFUSED.has(segment)) throw', 'if (false) throw',
      'a JSON path makes the objects on its way, walks nothing but objects, and never reaches a prototype',
    ],
    [
      'a JSON path has so many segments', 'if (segments.length > limits.jsonPathSegments) {', 'if (false) {',
      'a JSON path makes the objects on its way, walks nothing but objects, and never reaches a prototype',
    ],
  ),
  ...guardsOf('actors/system-config/key-path.ts', 'test/actors/system-config.test.ts',
    [
      'a key has no reserved segment', 'if (KEY.test(path)) return', 'if (PATH.test(path)) return',
      'a transaction writes all its keys at one revision, or nothing when one action cannot be',
    ],
    [
      'a key is not too long', 'if (path.length + STORE_PREFIX.length > limits.keyBytes) {', 'if (false) {',
      'kv:// and the bare path are one key, and no other spelling gets anywhere',
    ],
    [
      'a value is Unicode', 'if (/\\p{Surrogate}/u.test(text)) throw', 'if (false) throw',
      'a value is any text up to the limit, and comes back as it was',
    ],
  ),
  ...guardsOf('actors/system-config/krpc.ts', 'test/actors/system-config-guards.test.ts',
    [
      'what reads does nothing else', '.filter(([name]) => krpcReads.has(name))', '',
      'by the methods that read nothing is written',
    ],
  ),
  ...guardsOf('actors/system-config/krpc.ts', 'test/krpc.test.ts',
    [
      'a transaction by kRPC names a key once', 'if (names.has(name)) throw', 'if (false) throw',
      'a key has one spelling: what escapes or could be read in two ways is refused, never tidied',
    ],
  ),
  ...guardsOf('actors/system-config/permission.ts', 'test/actors/system-config-access.test.ts',
    [
      'a write is permitted', "    demand(session, 'write', key)\n    if (needsSignature(key)) throw",
      '    if (needsSignature(key)) throw',
      'every way to read asks the policy: get, list, dump, watch, and the guard of a transaction',
    ],
    [
      'a main key is read by who may', "if (mainKey && !actions.has(mainKey.key)) demand(session, 'read', mainKey.key)",
      '',
    ],
    [
      'a scope is read as far as it may', 'const tree = mayRead(session, scope.below)', 'const tree = true',
      'every way to read asks the policy: get, list, dump, watch, and the guard of a transaction',
    ],
    [
      'a key of a scope is read by who may', 'const self = scope.self && mayRead(session, scope.path)',
      'const self = scope.self',
      'every way to read asks the policy: get, list, dump, watch, and the guard of a transaction',
    ],
  ),
  ...guardsOf('actors/system-config/permission.ts', 'test/actors/system-config-boot.test.ts',
    [
      'in boot phase nobody writes a key',
      "if (trust.phase === 'boot') throw refuse(session, 'rbac/boot-phase', `write ${key}`)", '',
      'in boot phase nothing but the boot transaction is written',
    ],
    [
      'a read is permitted', "if (trust.phase !== 'boot') demand(session, 'read', path)", '',
      'each documented step is told once, by the call that it is about',
    ],
    [
      'the boot transaction has a boot token', "if (session.use !== 'boot') throw", 'if (false) throw',
      'in boot phase nothing but the boot transaction is written',
    ],
    [
      'the boot transaction is guarded by boot/config',
      "if (mainKey?.key !== kv.bootConfig || mainKey.revision !== 0 || config?.action !== 'create' || !creates) {",
      "if (config?.action !== 'create' || !creates) {", 'in boot phase nothing but the boot transaction is written',
    ],
    [
      'the boot transaction creates boot/config',
      "if (mainKey?.key !== kv.bootConfig || mainKey.revision !== 0 || config?.action !== 'create' || !creates) {",
      'if (config && (mainKey?.key !== kv.bootConfig || mainKey.revision !== 0)) {',
      'in boot phase nothing but the boot transaction is written',
    ],
    [
      'a zone boots with one key of verify-hub', 'if (verifyHub.length !== 1) throw', 'if (false) throw',
      'the boot transaction must name this zone, the owner key of the ENV, and one key of verify-hub',
    ],
    [
      'a zone boots with the owner key of its ENV',
      'if (thumbprint(start.keys, root) !== thumbprint(start.keys, environment.root)) {', 'if (false) {',
      'the boot transaction must name this zone, the owner key of the ENV, and one key of verify-hub',
    ],
    [
      'a policy is one before it is written', '      await checkRulesAfter(actions)\n', '',
      'the boot transaction must name this zone, the owner key of the ENV, and one key of verify-hub',
    ],
    [
      'boot/config is whole before it is written',
      'return key === kv.bootConfig ? trust.check(action.value) : undefined',
      "return key === kv.bootConfig ? JSON.parse(action.value) as ReturnType<Trust['check']> : undefined",
      'the boot transaction must name this zone, the owner key of the ENV, and one key of verify-hub',
    ],
  ),
  ...guardsOf('actors/system-config/permission.ts', 'test/actors/system-config-guards.test.ts',
    [
      'who may read nothing of a scope is told', "if (!self && !tree) demand(session, 'read', scope.below)", '',
      'who may read nothing of a prefix is denied, not shown nothing',
    ],
  ),
  ...guardsOf('actors/system-config/permission.ts', 'test/actors/system-config-trust.test.ts',
    [
      'a signed key is written by a transaction',
      "if (needsSignature(key)) throw refuse(session, 'rbac/signed-only', `write ${key}`)", '',
      'boot/config is changed by root alone, with itself as the main key, and trust follows at once',
    ],
    [
      'each write of a transaction is permitted',
      "      demand(session, 'write', key)\n      if (!needsSignature(key)) continue",
      '      if (!needsSignature(key)) continue',
      'boot/config is changed by root alone, with itself as the main key, and trust follows at once',
    ],
    [
      'the epoch never goes back', 'if (config && config.epoch < trust.epoch) {', 'if (false) {',
      'the zone epoch never goes back, since tokens from before a restore would be good again',
    ],
    [
      'boot/config is compared when it is changed',
      "if (key === kv.bootConfig && (mainKey?.key !== key || mainKey.revision === 0 || action.action !== 'update')) {",
      'if (false) {', 'boot/config is changed by root alone, with itself as the main key, and trust follows at once',
    ],
    [
      'a signed key is written as a whole', "if (action.action !== 'create' && action.action !== 'update') {",
      'if (false) {',
    ],
  ),
  ...guardsOf('actors/system-config/permitted-watch.ts', 'test/actors/system-config-access.test.ts',
    [
      'a watch looks again when the right may have changed',
      'if (this.#generation !== this.#permission.generation || this.#clock.now() >= this.#expiresMs) {',
      'if (this.#generation === -1) {',
      'a policy that the scheduler changes holds for the next call, and for streams that are open',
    ],
  ),
]
