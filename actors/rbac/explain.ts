import { limits } from '../../runtime/limits.ts'
import type { DenialReason } from '../../runtime/trust/denial.ts'
import { Grants, judge, type Compiled, type Speaker } from './judge.ts'
import type { Enforcement } from './enforcement.ts'
import { guardOf } from './guards.ts'
import { isFolder, matches, reaches, segmentsOf } from './path.ts'
import { isFor, type Line, type Operation } from './policy.ts'
import { appOf, bases, subjectOf, sudoOf, type Holder } from './roles.ts'

export interface Explanation {
  readonly allowed: boolean
  /** Of a denial: what its caller is told. */
  readonly reason?: DenialReason
  readonly speaker: {
    readonly sub: string; readonly appid: string; readonly runtimeType: string; readonly sudo: boolean
    readonly root: boolean
  }
  readonly act: Operation
  readonly path: string
  /** Which model decides: the zone's built-in one, or the one under `system/rbac/model`. */
  readonly model: 'built-in' | 'own'
  readonly layers: readonly LayerVerdict[]
}

export interface LayerVerdict {
  /** `guard`: what no line opens; then the app, whom it speaks for, and that one's sudo. */
  readonly layer: 'guard' | 'app' | 'subject' | 'sudo'
  readonly verdict: 'allowed' | 'denied'
  /** In words, where no line decided. */
  readonly why?: string
  /** Who is asked about, and the roles that it has. */
  readonly name?: string
  readonly roles?: readonly string[]
  /** The line that decided. */
  readonly line?: NamedLine
  /** Lines that came near, each with why it did not decide. */
  readonly others?: readonly (NamedLine & { readonly why: string })[]
  /** Lines that are about something else. */
  readonly unrelated?: number
}

export interface NamedLine {
  readonly text: string
  readonly from: 'built-in' | 'policy'
  /** In the policy; built-in lines have none. */
  readonly number?: number
}

/** `all`: also lines of roles that the speaker does not have; whoever may not read the policy learns of its own. */
export function explain(
  compiled: Compiled, speaker: Speaker, act: Operation, path: string, all: boolean,
): Explanation {
  const { sub, appid, runtimeType, sudo, root } = speaker
  const about = {
    speaker: { sub, appid, runtimeType, sudo, root }, act, path, model: compiled.builtIn ? 'built-in' : 'own',
  } as const
  if (root) return { allowed: true, ...about, layers: [{ layer: 'guard', verdict: 'allowed', why: 'root may do all' }] }
  const grants = new Grants(speaker, compiled)
  const segments = segmentsOf(path)
  const decision = judge(speaker, grants, act, segments)
  const guard = guardOf(act, segments)
  const asked: Asked = { compiled, act, path: segments, all }
  const layers: LayerVerdict[] = [guardVerdict(guard, sudo)]
  if (guard !== 'root') {
    layers.push(verdictOf(asked, 'app', appOf(speaker, compiled.added), grants.app))
    const ordinary = verdictOf(asked, 'subject', subjectOf(speaker, compiled.added), grants.subject)
    if (guard === undefined) layers.push(ordinary)
    if (grants.sudo && (guard === 'sudo' || ordinary.verdict === 'denied')) {
      layers.push(verdictOf(asked, 'sudo', sudoOf(speaker, compiled.added), grants.sudo))
    }
  }
  const reason = decision.chain.at(-1)?.reason
  return { allowed: decision.allowed, ...(reason ? { reason } : {}), ...about, layers }
}

function guardVerdict(guard: ReturnType<typeof guardOf>, sudo: boolean): LayerVerdict {
  if (guard === 'root') return { layer: 'guard', verdict: 'denied', why: 'only root may, whatever a line says' }
  if (guard === undefined) return { layer: 'guard', verdict: 'allowed', why: 'it is for the lines to decide' }
  return {
    layer: 'guard', verdict: sudo ? 'allowed' : 'denied',
    why: `only root and sudo may, whatever a line says${sudo ? ': the lines for sudo decide' : ''}`,
  }
}

interface Asked {
  readonly compiled: Compiled
  readonly act: Operation
  readonly path: readonly string[]
  readonly all: boolean
}

function verdictOf(asked: Asked, layer: 'app' | 'subject' | 'sudo', holder: Holder, enforcement: Enforcement) {
  const { compiled: { added, builtIn }, act, path } = asked
  const decided = enforcement.find(act, path)
  const lines = [...bases[holder.side].lines, ...added.lines]
  const named = (line: Line): NamedLine => ({
    text: line.text, ...(added.lines.includes(line) ? { from: 'policy', number: line.number } : { from: 'built-in' }),
  })
  const near = lines.flatMap((line) => {
    const why = line === decided || !builtIn ? undefined : nearness(asked, holder, line, decided)
    return why === undefined ? [] : [{ ...named(line), why }]
  })
  const others = near.slice(0, limits.explainedLines)
  const verdict: LayerVerdict = {
    layer, verdict: decided?.effect === 'allow' ? 'allowed' : 'denied', name: holder.sub, roles: [...holder.roles],
    ...(decided ? { line: named(decided) } : { why: 'no line allows it' }), others,
    unrelated: lines.length - others.length - (decided ? 1 : 0),
  }
  return verdict
}

/** Why a line that came near did not decide; undefined for one that is about something else. */
function nearness(
  { act, path, all }: Asked, { caller, roles }: Holder, line: Line, decided: Line | undefined,
): string | undefined {
  const fits = line.effect === 'deny' && isFolder(path) ? reaches : matches
  const held = roles.has(line.role)
  if (!held && !all) return undefined
  if (fits(line.segments, path, caller)) {
    if (!isFor(line, act)) return held ? `it is for ${line.act}` : undefined
    if (!held) return `${line.role} is no role of it`
    return decided?.effect === 'deny' && line.effect === 'allow' ? 'a line that denies wins' : 'another line decided'
  }
  const others = line.segments.map((segment) => (segment.startsWith('{') ? '*' : segment))
  if (!held || !isFor(line, act) || !line.segments.some((segment) => segment.startsWith('{'))) return undefined
  // A star that ends a pattern is more than a name in braces
  const sameDepth = line.segments.at(-1) === '*' || path.length === line.segments.length
  return sameDepth && fits(others, path, caller) ? `its braces stand for the caller: ${caller}` : undefined
}
