/**
 * Paths of what is accessed, and the patterns of policy lines. `kv://a/b` and `a/b` are one path. In segments another
 * scheme is the first of them (`auth://`, `sessions`, `alice`): it ends with a slash, which no segment of a key holds.
 *
 * In a pattern `*` is one segment, or as the last segment everything below; `{anything}` is one segment that must be
 * the caller's own name. Neither stands for a scheme. A path that ends with a slash is a folder: to allow it is to
 * allow all that is in it, so a line that denies anything in it denies it.
 */
const KV = 'kv://'
const SLASHES = '://'

export function segmentsOf(path: string): readonly string[] {
  const at = path.indexOf(SLASHES)
  if (at < 0) return path.split('/')
  if (path.startsWith(KV)) return path.slice(KV.length).split('/')
  return [path.slice(0, at + SLASHES.length), ...path.slice(at + SLASHES.length).split('/')]
}

/** With its scheme, as a model sees it. */
export const objectOf = (path: string): string => (path.includes(SLASHES) ? path : KV + path)

export const isScheme = (segment: string): boolean => segment.endsWith('/')

/** The last segment of a folder is empty. */
export const isFolder = (path: readonly string[]): boolean => path.at(-1) === ''

export function matches(pattern: readonly string[], path: readonly string[], caller: string): boolean {
  const last = pattern.length - 1
  for (let index = 0; index <= last; index++) {
    const segment = path[index]
    if (segment === undefined) return false
    if (index === last && pattern[index] === '*') return index > 0 || !isScheme(segment)
    if (!holds(pattern[index]!, segment, index, caller)) return false
  }
  return path.length === pattern.length
}

/** Whether something in the folder could match. */
export function reaches(pattern: readonly string[], folder: readonly string[], caller: string): boolean {
  const depth = folder.length - 1
  const last = pattern.length - 1
  for (let index = 0; index < depth; index++) {
    if (index > last) return false
    if (index === last && pattern[index] === '*') return index > 0 || !isScheme(folder[index]!)
    if (!holds(pattern[index]!, folder[index]!, index, caller)) return false
  }
  return last >= depth && (depth > 0 || !isScheme(pattern[0]!))
}

function holds(want: string, segment: string, index: number, caller: string): boolean {
  if (want === '*') return segment !== '' && (index > 0 || !isScheme(segment))
  return segment === (want.startsWith('{') ? caller : want)
}

/** Before the name under which a user's sudo stands in the policy, and before a name that is a role's as well. */
export const SUDO_PREFIX = 'su_'
export const NAME_PREFIX = '~'

const callerOf = (sub: string): string =>
  (sub.startsWith(SUDO_PREFIX) ? sub.slice(SUDO_PREFIX.length)
    : sub.startsWith(NAME_PREFIX) ? sub.slice(NAME_PREFIX.length) : sub)

/** `zonePath(r.obj, p.obj, r.sub, p.eft)` of a model. */
export function zonePath(object: string, pattern: string, sub: string, effect: string): boolean {
  const [path, segments] = [segmentsOf(object), segmentsOf(pattern)]
  const fits = effect === 'deny' && isFolder(path) ? reaches : matches
  return fits(segments, path, callerOf(sub))
}
