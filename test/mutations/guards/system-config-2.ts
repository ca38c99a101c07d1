/** Boot phase, sessions, permissions, transactions and keys. */
import { guardsOf, type Guard } from '../guard.ts'

export const systemConfig2: readonly Guard[] = [
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
  ...guardsOf('actors/system-config/sessions.ts', 'test/actors/system-config-access.test.ts',
    [
      'a token is good for its holder', 'if (claims.cnf && claims.cnf.jkt !== peer.kid) {', 'if (false) {',
      'a token that is bound to a link key is worth nothing on another link',
    ],
    [
      'root is who signed with the owner key', "root: rule.tokenUse === 'root'",
      "root: principal.sub === 'root' || principal.runtimeType === 'user'",
    ],
  ),
  ...guardsOf('actors/system-config/sessions.ts', 'test/actors/system-config-boot.test.ts',
    [
      'a session ends with the trust it was made by',
      'session.generation === trust.generation && session.expSeconds > nowSeconds()',
      'session.expSeconds > nowSeconds()',
      'after the boot transaction a boot token is good for nothing, even on the link that booted',
    ],
  ),
  ...guardsOf('actors/system-config/state.ts', 'test/actors/system-config-access.test.ts',
    [
      'a policy that is damaged changes nothing', 'if (record && record.revision <= revision) return\n    try {',
      "try {\n      replace('')",
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
]
