/** Who gets in by which token, where the row of a verifier is all that keeps the others out. */
import { guardsOf, type Guard } from '../guard.ts'

const everyCell = 'every combination of verifier, phase and token is accepted exactly where the design says'

export const signIn: readonly Guard[] = [
  ...guardsOf('actors/trust-matrix.ts', 'test/matrix.test.ts',
    [
      'verify-hub takes no root token', "normal: ['login', 'refresh', 'session', 'sudo'] },",
      "normal: ['login', 'refresh', 'session', 'sudo', 'root'] },", everyCell,
    ],
    [
      'a service takes no token of a device', "service: { boot: [], normal: ['session', 'root', 'sudo'] },\n  node",
      "service: { boot: [], normal: ['session', 'root', 'sudo', 'deviceSession'] },\n  node", everyCell,
    ],
    [
      'a kernel service takes no token of a device',
      "'kernel-service': { boot: [], normal: ['session', 'root', 'sudo'] }",
      "'kernel-service': { boot: [], normal: ['session', 'root', 'sudo', 'deviceSession'] }", everyCell,
    ],
    [
      'a node takes no sudo token', "node: { boot: [], normal: ['session', 'root'] }",
      "node: { boot: [], normal: ['session', 'root', 'sudo'] }", everyCell,
    ],
    [
      'a cookie is a session', "gateway: { boot: [], normal: ['session'] }",
      "gateway: { boot: [], normal: ['session', 'refresh'] }", everyCell,
    ],
    ['the vault takes no token', 'vault: { boot: [], normal: [] }', "vault: { boot: [], normal: ['root'] }", everyCell],
    [
      'in boot phase system-config trusts its device alone', "boot: ['bootToken', 'deviceSession'],",
      "boot: ['bootToken', 'deviceSession', 'root'],", everyCell,
    ],
    [
      'who signs sudo speaks for themselves',
      "tokenUse: 'sudo', keyReasons: [keyReason.user], subject: 'issuer', subjectsRefused: reservedSubjects,",
      "tokenUse: 'sudo', keyReasons: [keyReason.user], subject: 'any', subjectsRefused: reservedSubjects,", everyCell,
    ],
  ),
  ...guardsOf('actors/scheduler/krpc.ts', 'test/krpc.test.ts',
    [
      'who makes the scheduler run may operate the host',
      "(await enforcer()).demand(cx, 'write', kv.control(self.host))",
      'void (await enforcer()).principal(cx)', 'only a session that may operate the host runs the scheduler',
    ],
  ),
]
