/** Handshakes, frames and calls. */
import { guardsOf, type Guard } from '../guard.ts'

export const link2: readonly Guard[] = [
  ...guardsOf('runtime/link/serve.ts', 'test/runtime/link-guards.test.ts',
    [
      'both ends have the same methods', 'if (protocol !== plan.protocol || methodsHash !== plan.methodsHash) {',
      'if (false) {', 'an actor closes the link of a caller with other methods',
    ],
    [
      'calls of one link in flight are few', 'return open ? new Overloaded(', 'return !open && open ? new Overloaded(',
      'a caller that floods is held to the calls of one link, however much the actor could queue',
    ],
    [
      'a clock that is set back keeps no verdict', 'if (now < token.askedMs) token.verdicts.fill(undefined)', '',
      'a clock that was set back makes no verdict hold longer',
    ],
  ),
  ...guardsOf('runtime/link/serve.ts', 'test/runtime/rpc-hostile.test.ts',
    [
      'a call comes after the greeting', 'if (kind !== HELLO) throw malformed()', '',
      'a call before the greeting closes the link',
    ],
    [
      'an id comes once', 'if (!isCount(id) || id <= this.#lastId) throw malformed()', '',
      'an id that is no number closes the link as malformed, and other links go on',
    ],
    [
      'a method is called as what it is',
      'if (!method || method.plan.entry.kind !== entryKind[kind as number]) throw malformed()',
      'if (!method) throw malformed()', 'a method of another kind closes the link as malformed, and other links go on',
    ],
    [
      'a token is bound to a number that there is',
      'if (!isCount(slot) || slot === 0 || slot > limits.boundTokens) throw malformed()', '',
      'a token bound to no number closes the link as malformed, and other links go on',
    ],
    [
      'a bound token is not too long',
      "if (typeof token !== 'string' || token.length > limits.token) throw malformed()", '',
      'a token that is no text closes the link as malformed, and other links go on',
    ],
  ),
  ...guardsOf('runtime/link/serve.ts', 'test/runtime/rpc-tokens.test.ts',
    [
      'a number without a token is nobody', "if (token === undefined) throw new Denied('No token is bound",
      "if (token === undefined) return this.#self\n    if (false) throw new Denied('No token is bound",
      'that were never bound are denied, though their number is small',
    ],
    [
      'an actor without a verifier takes no tokens',
      "if (!authenticate) throw new Denied('This actor takes no tokens', { reason: 'link/takes-no-tokens' })",
      'if (!authenticate) return this.#self', 'are denied by an actor that takes none, and when they are too long',
    ],
    [
      'a verdict ends with its token', 'if (known && known.expires! > now) return known', 'if (known) return known',
      'are asked about for every call unless the verdict says how long it holds',
    ],
    [
      'a verdict that does not say when it ends is not kept',
      'if (principal.expires !== undefined) token.verdicts[index] = principal',
      'token.verdicts[index] = { expires: Infinity, ...principal }',
      'are asked about for every call unless the verdict says how long it holds',
    ],
    [
      'verdicts are taken back', 'if (principal && matches(principal)) bound.verdicts[index] = undefined',
      'void matches', 'that are revoked are unbound: the next call is denied',
    ],
    [
      'a verdict is for one method', 'const { index, name } = served.method.plan\n',
      'const { name } = served.method.plan\n    const index = 0\n',
      'are asked about for every call unless the verdict says how long it holds',
    ],
  ),
  ...guardsOf('runtime/link/serve.ts', 'test/runtime/rpc.test.ts',
    [
      'a method asks for its suite', 'if (!satisfies(this.link.base, served.signed, plan.least)) {', 'if (false) {',
      'a method of suite sealed is refused on a mac link, by caller and by callee',
    ],
  ),
  ...guardsOf('runtime/link/served.ts', 'test/runtime/rpc.test.ts',
    [
      'arguments have their shape', 'if (!args.success) {', 'if (!args.success && args.success !== false) {',
      'with arguments of the wrong shape never reach the handler',
    ],
  ),
]
