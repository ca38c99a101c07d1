/** Boot phase, sessions, permissions, transactions and keys. */
import { guardsOf, type Guard } from '../guard.ts'

export const systemConfig2: readonly Guard[] = [
  ...guardsOf('actors/system-config/permitted-watch.ts', 'test/actors/system-config-guards.test.ts',
    [
      'a watch shows what may be read',
      'if (!this.#narrowed || change === PENDING || change === ENDED || inScope(this.#scope!, change.key)) '
        + 'return change',
      'return change', 'a watch shows of its scope what its reader may see',
    ],
    [
      'a watch ends with its token', '      this.#expiresMs = 0\n      this.onReady()', '',
      'a watch ends with the token that it was opened by, also when nothing happens',
    ],
  ),
  ...guardsOf('actors/system-config/revocations.ts', 'test/actors/enforcement-limits.test.ts',
    [
      'a session that was told again stays revoked', 'if (known.get(sid) === until) known.delete(sid)',
      'known.delete(sid)', 'what another OOD has revoked is forgotten when that one forgets it, and not before',
    ],
    [
      'what others have forgotten goes', 'else forget({ sid, until })', 'else void until',
      'what another OOD has revoked is forgotten when that one forgets it, and not before',
    ],
  ),
  ...guardsOf('actors/system-config/phase.ts', 'test/actors/system-config-boot.test.ts',
    [
      'a host that has booted finds its zone', 'if (booted) throw new ZoneStoreMismatch(',
      'if (false) throw new ZoneStoreMismatch(',
      'an emptied store behind a booted host, one without boot/config and one of another zone are refused',
    ],
    [
      'boot phase begins in an empty store', 'if (entry) throw new ZoneStoreMismatch(',
      'if (false && entry) throw new ZoneStoreMismatch(',
      'an emptied store behind a booted host, one without boot/config and one of another zone are refused',
    ],
    [
      'the store is of this zone', 'if (zone !== self.zone) throw new ZoneStoreMismatch(',
      'if (false) throw new ZoneStoreMismatch(',
    ],
    [
      'the store is under this owner key', 'if (thumbprint(keys, root) !== thumbprint(keys, environment.root)) {',
      'if (false) {',
      'the store of a zone of the same name and another owner is refused, and its root is never trusted',
    ],
    [
      'boot/config is of this zone', 'if (config.zone !== self.zone) throw', 'if (false) throw',
      'the boot transaction must name this zone, the owner key of the ENV, and one key of verify-hub',
    ],
    [
      'one key has one purpose', 'if (new Set(kids).size !== kids.length) throw', 'if (false) throw',
      'the boot transaction must name this zone, the owner key of the ENV, and one key of verify-hub',
    ],
    [
      'a change of trust is told', "    phase = 'normal'\n    generation++", "    phase = 'normal'",
      'after the boot transaction a boot token is good for nothing, even on the link that booted',
    ],
  ),
  ...guardsOf('actors/system-config/phase.ts', 'test/actors/system-config-guards.test.ts',
    [
      'boot/config and the zone document are of one epoch', 'checkEpoch(epoch, environment.epoch)', '',
      'a zone document of another epoch than boot/config is refused, whichever is ahead',
    ],
    [
      'boot/config has one key of verify-hub, or two', 'if (verifyHub.length < 1 || verifyHub.length > 2) {',
      'if (false) {', 'boot/config names one key of verify-hub, or two',
    ],
    [
      'a damaged boot/config changes nothing',
      '        if (!(error instanceof ZonewrightError)) throw error\n        const { code } = error',
      '        throw error\n        const { code } = error as ZonewrightError',
      'a boot/config that was damaged behind our back is told of, and what it named stays trusted',
    ],
  ),
  ...guardsOf('actors/system-config/phase.ts', 'test/actors/system-config-trust.test.ts',
    [
      'the boot phase never comes back', 'if (!record) {', "if (!record) {\n        phase = 'boot'",
      'when boot/config vanishes from a running zone, boot phase does not come back',
    ],
  ),
  ...guardsOf('actors/system-config/protocol.ts', 'test/actors/system-config.test.ts',
    [
      'no name that every object has',
      "&& !['__proto__', 'constructor', 'prototype'].some((name) => Object.hasOwn(value, name)),", ',',
      'a transaction that names what every object has is refused whole, and not done in part',
    ],
  ),
  ...guardsOf('actors/system-config/reading.ts', 'test/actors/system-config-access.test.ts',
    [
      'what is trusted is told to who may know', 'if (!supervisor) await permission.read(cx, kv.bootConfig)', '',
      'without a token nothing is answered but trust, and that to the supervisor of this host only',
    ],
    [
      'the supervisor that is told is of this host', "cx.peer.actor === 'supervisor' && cx.peer.host === self.host",
      "cx.peer.actor === 'supervisor'",
      'without a token nothing is answered but trust, and that to the supervisor of this host only',
    ],
    [
      'a list is permitted', 'steps.read(await permission.read(cx, scope.below), scope.below, 0)', '',
      'every way to read asks the policy: get, list, dump, watch, and the guard of a transaction',
    ],
  ),
  ...guardsOf('actors/system-config/reading.ts', 'test/actors/system-config-watch.test.ts',
    [
      'a dump has so many prefixes', 'if (prefixes.length > limits.dumpPrefixes) {', 'if (false) {',
      'a dump of several prefixes is true at one revision while others write',
    ],
  ),
  ...guardsOf('actors/system-config/sessions.ts', 'test/actors/system-config-access.test.ts',
    [
      'a token is good for its holder', 'if (claims.cnf && claims.cnf.jkt !== peer.kid) {', 'if (false) {',
      'a token that is bound to a link key is worth nothing on another link',
    ],
    [
      'root is who signed with the owner key', "root: use === 'root'",
      "root: principal.sub === 'root' || principal.runtimeType === 'user'",
    ],
  ),
  ...guardsOf('actors/system-config/sessions.ts', 'test/actors/system-config-boot.test.ts',
    [
      'a session ends with the trust it was made by',
      'generation === trust.generation && expSeconds > nowSeconds() &&', 'expSeconds > nowSeconds() &&',
      'after the boot transaction a boot token is good for nothing, even on the link that booted',
    ],
  ),
  ...guardsOf('actors/system-config/sessions.ts', 'test/actors/system-config-guards.test.ts',
    [
      'behind a gateway a token is used once',
      'if (!isForOneCall(session, relayed)) remember(sessions, token, session)',
      'if (true) remember(sessions, token, session)',
      'a token that is good once is good for one call behind a gateway, whose link carries everybody',
    ],
    [
      'behind a gateway no verdict is kept of a token used once',
      "isForOneCall({ once, use }, peer.runtimeType === 'gateway') ? speaker", 'false ? speaker',
      'and the link keeps no verdict of it',
    ],
  ),
  ...guardsOf('actors/system-config/sessions.ts', 'test/actors/system-config.test.ts',
    [
      'a session ends with its token', 'generation === trust.generation && expSeconds > nowSeconds() &&',
      'generation === trust.generation &&',
      'a root token is good on the one link it came by, and for the life of the token only',
    ],
    [
      'a used token is burned', 'again ? Promise.resolve(true) : burn(store, id, expSeconds, nowSeconds)',
      'Promise.resolve(true)', 'a root token is good on the one link it came by, and for the life of the token only',
    ],
  ),
  ...guardsOf('actors/system-config/state.ts', 'test/actors/system-config-access.test.ts',
    [
      'a policy that is damaged changes nothing', '    await access.replace(rules)\n',
      "    await access.replace({ model: '', policy: '' })\n    await access.replace(rules)\n",
    ],
  ),
  ...guardsOf('actors/system-config/state.ts', 'test/actors/system-config-trust.test.ts',
    [
      'boot/config that another wrote is followed', 'if (!booting()) await reloadTrust()', '',
      'when boot/config vanishes from a running zone, boot phase does not come back',
    ],
  ),
  ...guardsOf('actors/system-config/transaction.ts', 'test/actors/system-config-boot.test.ts',
    [
      'a transaction is compared with its main key',
      'if (actual !== mainKey.revision) throw revisionMismatch(mainKey, actual)', '',
      'of many boot transactions at once one wins, and nothing of the others is written',
    ],
    [
      'a main key is compared when it is committed', '    guards.push(mainKey)\n', '',
      'of many boot transactions at once one wins, and nothing of the others is written',
    ],
  ),
  ...guardsOf('actors/system-config/transaction.ts', 'test/actors/system-config.test.ts',
    [
      'what is written is compared with what was read',
      'if (key !== mainKey?.key) guards.push({ key, revision: current?.revision ?? 0 })', '',
      'a key that is set, created, changed, deleted and made again never meets a revision it had before',
    ],
    [
      'a key is created once', 'if (current) throw new KeyExists(', 'if (false && current) throw new KeyExists(',
      'a key that is set, created, changed, deleted and made again never meets a revision it had before',
    ],
    [
      'a transaction names a key once', 'if (actions.has(key)) throw', 'if (false) throw',
      'a transaction writes all its keys at one revision, or nothing when one action cannot be',
    ],
  ),
]
