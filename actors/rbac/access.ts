import { InvalidArgument } from '../../runtime/errors.ts'
import { controlPlaneNeeds } from './base.ts'
import type { Engine } from './enforcement.ts'
import { explain, type Explanation } from './explain.ts'
import { byRoot, Grants, judge, type Compiled, type Decision, type Speaker } from './judge.ts'
import { indexEngine } from './line-index.ts'
import { loadEngine } from './load-engine.ts'
import { parseModel, type Rules } from './model.ts'
import { segmentsOf } from './path.ts'
import { parsePolicy, type Operation } from './policy.ts'
import { checkRoles } from './roles.ts'

export type { Decision, Speaker } from './judge.ts'

export interface Access {
  /** Grows with every policy, so that whatever was decided before is decided again. */
  readonly generation: number
  /** What is in force. */
  readonly rules: Rules
  /**
   * `path` is `a/b` or `kv://a/b`, or of another scheme; or a folder with its last slash, '' for all of `kv://`: then
   * everything in it must be allowed.
   */
  decide(speaker: Speaker, operation: Operation, path: string): Decision
  /** The same decision, with what each layer and each line that comes near says of it; `all`: also lines of others. */
  explain(speaker: Speaker, operation: Operation, path: string, all: boolean): Explanation
  /**
   * Replaces the model and what the policy adds to the base. At once when the model is the built-in one, else when its
   * engine is loaded; of two the later one stays. @throws InvalidArgument, and what was in force stays
   */
  replace(rules: Rules): void | Promise<void>
}

function compile(rules: Rules): Compiled | Promise<Compiled> {
  const model = parseModel(rules.model)
  const added = parsePolicy(rules.policy, !model.builtIn)
  checkRoles(added)
  const by = (engine: Engine): Compiled => {
    const compiled = { rules, builtIn: model.builtIn, added, engine }
    checkControlPlane(compiled)
    return compiled
  }
  return model.builtIn ? by(indexEngine(added)) : loadEngine().then((make) => by(make(model, added)))
}

function checkControlPlane(compiled: Compiled): void {
  for (const [appid, runtimeType, operation, path] of controlPlaneNeeds) {
    const speaker = { sub: 'a', appid, runtimeType, sudo: false, root: false }
    if (judge(speaker, new Grants(speaker, compiled), operation, segmentsOf(path)).allowed) continue
    throw new InvalidArgument(`With this model and policy the system's own ${appid} could not ${operation} ${path}`)
  }
}

/** @throws InvalidArgument when the model cannot decide, or the policy is none for it */
export function checkRules(rules: Rules): void | Promise<void> {
  const compiled = compile(rules)
  if (compiled instanceof Promise) return compiled.then(() => {})
}

export function createAccess(): Access {
  let inForce = compile({ model: '', policy: '' }) as Compiled
  let granted = new WeakMap<Speaker, Grants>()
  let generation = 0
  let asked = 0
  const use = (compiled: Compiled): void => {
    inForce = compiled
    granted = new WeakMap()
    generation++
  }
  return {
    get generation() { return generation },
    get rules() { return inForce.rules },
    replace(rules) {
      const turn = ++asked
      const compiled = compile(rules)
      if (!(compiled instanceof Promise)) return use(compiled)
      return compiled.then((loaded) => {
        if (turn === asked) use(loaded)
      })
    },
    decide(speaker, operation, path) {
      if (speaker.root) return byRoot
      let grants = granted.get(speaker)
      if (!grants) granted.set(speaker, grants = new Grants(speaker, inForce))
      const before = grants.allowed(operation).get(path)
      if (before) return before
      const segments = segmentsOf(path)
      const decision = judge(speaker, grants, operation, segments)
      if (decision.allowed) grants.allowed(operation).set(path, segments.length, decision)
      return decision
    },
    explain: (speaker, operation, path, all) => explain(inForce, speaker, operation, path, all),
  }
}
