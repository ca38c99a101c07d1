/** The access policy: its lines, its models, roles, what no line opens, and what may be written of it. */
import { guardsOf, type Guard } from '../guard.ts'

const ORACLE = 'test/actors/rbac-oracle.test.ts'
const agrees = 'the index decides as casbin does, for roles, lines that deny, placeholders, folders and schemes'
const POLICY = 'test/actors/system-config-policy.test.ts'
const base = 'the base and the lines of the scheduler give each caller what it needs and nothing beside it'
const alike = 'a name that is also the name of a role, of a kernel app or of a host gains nothing by it'
const wide = 'a line for everything still leaves out what is of root alone, and su_ names are nobody who logs in'
const noLine = 'a line that is no policy line refuses the policy whole, and names the line'
const MODEL = 'test/actors/rbac-model.test.ts'
const otherwise = 'a model that would be read otherwise than it is written is refused, and says why'
const cannotRead = 'a line that a function of the model cannot read, or would read for ever, refuses the policy whole'
const ACCESS = 'test/actors/system-config-access.test.ts'
const ZONE = 'test/actors/system-config-rbac.test.ts'
const registered = 'no user, device or service is registered under a name of sudo or of the system, however written'
const bySudo = 'by sudo a user replaces the own document, signed, and makes none; an admin writes settings'
const explained = 'an explanation is given to everybody about themselves, and about others to who may read the policy'

export const rbac: readonly Guard[] = [
  ...guardsOf('actors/rbac/judge.ts', ACCESS,
    [
      'a subject needs a line', "if (!grants.sudo) return refused('rbac', subject, `subject ${sub}: ${where}`)",
      "if (!grants.sudo) return allowed('-')",
      'every way to read asks the policy: get, list, dump, watch, and the guard of a transaction',
    ],
  ),
  ...guardsOf('actors/rbac/judge.ts', POLICY,
    [
      'an app needs a line', "if (app?.effect !== 'allow') return refused(",
      "if (!app || app.effect !== 'allow') return allowed('-')\n  if (false) return refused(", base,
    ],
    [
      'only root reads and writes what is root’s', "if (guard === 'root') return denied(", 'if (false) return denied(',
      wide,
    ],
    [
      'an ordinary session does nothing that is for sudo', "if (guard === 'sudo' && !speaker.sudo) return denied(",
      'if (false) return denied(', wide,
    ],
    [
      'sudo needs a line', "if (sudo?.effect !== 'allow') return refused('sudo',",
      "if (!sudo || sudo.effect !== 'allow') return allowed('-')\n  if (false) return refused('sudo',", base,
    ],
  ),
  ...guardsOf('actors/rbac/judge.ts', ORACLE,
    [
      'what is for sudo is not for ordinary lines',
      "const subject = guard === 'sudo' ? undefined : grants.subject.find(operation, path)",
      'const subject = grants.subject.find(operation, path)', agrees,
    ],
    [
      'sudo is for who brings it', 'this.sudo = speaker.sudo ? engine.of(sudoOf(speaker, added)) : undefined',
      'this.sudo = engine.of(sudoOf(speaker, added))', agrees,
    ],
    ['a line that denies an app denies', "if (app?.effect !== 'allow')", 'if (!app)', agrees],
  ),
  ...guardsOf('actors/rbac/access.ts', ACCESS,
    [
      'a new policy holds at once', 'granted = new WeakMap()\n    generation++', 'generation++',
      'what the policy says holds when its writer is answered',
    ],
    [
      'an open watch hears of a new policy', 'granted = new WeakMap()\n    generation++', 'granted = new WeakMap()',
      'a policy that the scheduler changes holds for the next call, and for streams that are open',
    ],
  ),
  ...guardsOf('actors/rbac/access.ts', MODEL,
    [
      'the control plane keeps what it needs', '    checkControlPlane(compiled)\n', '',
      'a model or a line that takes from the control plane what it needs is refused, and says of whom',
    ],
    [
      'of two rules the later stay', 'if (turn === asked) use(loaded)', 'use(loaded)',
      'rules that are refused leave those before in force, and of two the later ones stay',
    ],
  ),
  ...guardsOf('actors/rbac/line-index.ts', ORACLE,
    ['a line is for an operation', 'if (!isFor(line, operation)) continue', '', agrees],
    ['a line that denies wins', 'const trie = deny[operation]', 'const trie = undefined as Trie | undefined', agrees],
    [
      'a folder is denied by what is denied in it',
      'isFolder(path) ? trie.reach(path, caller) : trie.match(path, caller)', 'trie.match(path, caller)', agrees,
    ],
    [
      'a pattern that names its last segment is remembered as such',
      "if (line.segments.at(-1) !== '*') this.named[operation] |= lengthBit(line.segments.length)", '',
    ],
  ),
  ...guardsOf('actors/rbac/trie.ts', ORACLE,
    ['a star takes no scheme', 'if (index === 0 && isScheme(segment)) return undefined\n  const own = node.caller && '
      + 'segment === caller ? match(', 'const own = node.caller && segment === caller ? match(', agrees],
    ['a name in braces is the caller’s', 'segment === caller ? match(node.caller', 'true ? match(node.caller', agrees],
  ),
  ...guardsOf('actors/rbac/path.ts', POLICY,
    [
      'a pattern is as long as its path', 'return path.length === pattern.length', 'return true',
      'a pattern matches whole segments: a star one of them, the last star all that follow, braces the caller',
    ],
    [
      'a star in the middle is one segment that is there', "if (want === '*') return segment !== '' &&",
      "if (want === '*') return",
      'a pattern matches whole segments: a star one of them, the last star all that follow, braces the caller',
    ],
  ),
  ...guardsOf('actors/rbac/decisions.ts', 'test/actors/rbac-folders.test.ts',
    [
      'what holds for keys of a folder is no answer about the folder',
      "if (path.endsWith('/')) return this.#paths?.get(path)\n", '',
      'a folder is denied for what lies deep in it, also after keys of it were allowed',
    ],
  ),
  ...guardsOf('actors/rbac/roles.ts', POLICY,
    [
      'a device has nothing of a user of its name', '!deviceRuntimeTypes.has(runtimeType) && !isSudo(sub)',
      '!isSudo(sub)', alike,
    ],
    [
      'nobody is called by the name of sudo', '!deviceRuntimeTypes.has(runtimeType) && !isSudo(sub)',
      '!deviceRuntimeTypes.has(runtimeType)', wide,
    ],
    [
      'a name is no role of the same spelling', 'if (givenRoles.has(name)) return added.groups.get(name) ?? []', '',
      alike,
    ],
    [
      'a name is no role of the policy',
      'return added.roles.has(name) ? [] : [name, ...(added.groups.get(name) ?? [])]',
      'return [name, ...(added.groups.get(name) ?? [])]', alike,
    ],
    ['a name is no built-in role', 'if (isFixed(name)) return []', '', alike],
    ['a policy gives no built-in role', 'if (isFixed(role) || bases.app.groups.has(role)) {', 'if (false) {', noLine],
    ['a policy changes no built-in role', 'if (changed) throw', 'if (false) throw', noLine],
    [
      'what is for sudo is given to su_ names', 'if ((sudoRoles.has(role) || isSudo(role)) && !isSudo(name)) {',
      'if (false) {', noLine,
    ],
  ),
  ...guardsOf('actors/rbac/roles.ts', 'test/actors/system-config-guards.test.ts',
    [
      'built-in roles are part of built-in ones only', 'if (!givenRoles.has(role) && !isFixed(role)) for', 'for',
      'a role that the policy gives is not made part of another by a line of it',
    ],
  ),
  ...guardsOf('actors/rbac/roles.ts', MODEL,
    [
      'no model takes a name for a role', 'sub: roles.has(sub) ? sub : NAME_PREFIX + sub,', 'sub,',
      'no model opens what is of root alone or of sudo alone, and none gives a name what is a role’s',
    ],
  ),
  ...guardsOf('actors/rbac/policy.ts', POLICY,
    ['a policy is not too long', 'if (lines.length > limits.policyLines) {', 'if (false) {', noLine],
    [
      'operations are three words, and no expression',
      "if (!Object.hasOwn(operationsOf, act!)) throw", 'if (false) throw', noLine,
    ],
    ['an effect is allow or deny', "if (effect !== 'allow' && effect !== 'deny') throw", 'if (false) throw', noLine],
  ),
  ...guardsOf('actors/rbac/model.ts', MODEL,
    ['a model is not too long', 'if (text.length > limits.modelCharacters) {', 'if (false) {', otherwise],
    [
      'nothing is allowed that no line mentions', 'const effect = effects.get(squeezed(e))',
      'const effect = effects.get(squeezed(e)) ?? e', otherwise,
    ],
    [
      'a matcher looks at lines', "if (!tokens.some((token) => token.startsWith('p.'))) throw", 'if (false) throw',
      otherwise,
    ],
    ['a matcher names what it may', 'if (!isRole && !functions.has(token)) throw', 'if (false) throw', otherwise],
    ['a pattern is not the caller’s', "if (second.startsWith('r.')) throw", 'if (false) throw', otherwise],
    ['a definition is one', 'if (definitions[section] !== undefined) throw', 'if (false) throw', otherwise],
  ),
  ...guardsOf('actors/rbac/casbin-engine.ts', MODEL,
    ['a pattern that cannot be read is none', "functions.get(name)?.('a', pattern, 'a')", '', cannotRead],
    ['casbin walks so many lines', 'if (added.lines.length > limits.modelPolicyLines) {', 'if (false) {', cannotRead],
    [
      'what cannot be decided is denied', '          return undefined\n        }',
      '          return lines[0]\n        }',
      'what a line or an expression cannot decide is denied, not thrown',
    ],
  ),
  ...guardsOf('actors/system-config/permission.ts', ZONE,
    [
      'model and policy are checked together', '      await checkRulesAfter(actions)\n', '',
      'a model or a policy with an error is refused whole, also when the other is right: the old stays',
    ],
    [
      'by sudo a document is replaced only', "if (session.speaker.root || action.action === 'update') continue",
      'if (true) continue', bySudo,
    ],
  ),
  ...guardsOf('actors/system-config/state.ts', ZONE,
    [
      'a model that another wrote is followed',
      'for (const key of [MODEL_KEY, POLICY_KEY]) start', 'for (const key of [POLICY_KEY]) start',
      'a model that another host damages behind our back is told of, and the one before stays',
    ],
  ),
  ...guardsOf('actors/system-config/written.ts', ZONE,
    ['no name begins with su_', 'if (!name.startsWith(SUDO)) return', 'if (name !== "") return', registered],
    ['no user and no device has a reserved name', "if ((root === 'users' || root === 'devices') && isReserved(name)) {",
      'if (false) {', registered],
    ['a record of a user is of that user', 'if (speaksOf !== name) throw', 'if (false) throw', registered],
    [
      'a record of a user is one', 'if (!read.success) {', 'if (!read.success) return\n  if (!read.success) {',
      registered,
    ],
  ),
  ...guardsOf('actors/system-config/transaction.ts', ZONE,
    ['what a write comes to is looked at', '    checkWritten(write)\n', '', registered],
  ),
  ...guardsOf('actors/system-config/writing.ts', ZONE,
    ['what is set is looked at', "        checkWritten({ type: 'put', key, value })\n", '', registered],
  ),
  ...guardsOf('actors/system-config/explaining.ts', ZONE,
    [
      'of others is told to who may read the policy', 'if (!isOwn) await permission.read(cx, POLICY_KEY)', '',
      explained,
    ],
    [
      'lines of others are told to who may read the policy',
      "const all = access.decide(own, 'read', POLICY_KEY).allowed", 'const all = true', explained,
    ],
  ),
]
