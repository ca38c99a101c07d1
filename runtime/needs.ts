import { NeedsCycle, StartFailed } from './errors.ts'

/** Who needs whom, by actor name. */
export type NeedsGraph = ReadonlyMap<string, readonly string[]>

/**
 * Actors in an order in which each follows what it needs; ties by name.
 * @throws NeedsCycle with the cycle
 * @throws StartFailed when an actor needs one that does not exist
 */
export function startOrder(graph: NeedsGraph): readonly string[] {
  const order: string[] = []
  const done = new Set<string>()
  const visit = (name: string, path: readonly string[]): void => {
    if (done.has(name)) return
    if (path.includes(name)) {
      const cycle = [...path.slice(path.indexOf(name)), name].join(' → ')
      throw new NeedsCycle(`Actors need each other in a circle: ${cycle}`, { cycle })
    }
    const needs = graph.get(name)
    if (!needs)
      throw new StartFailed(`${path.at(-1)} needs an actor that is not there: ${name}`, {
        actor: path.at(-1) ?? '',
        needs: name,
      })
    for (const need of [...needs].sort()) visit(need, [...path, name])
    done.add(name)
    order.push(name)
  }
  for (const name of [...graph.keys()].sort()) visit(name, [])
  return order
}

/** The named actors and all that need one of them, directly or through others. */
export function withDependents(graph: NeedsGraph, names: Iterable<string>): ReadonlySet<string> {
  const affected = new Set(names)
  let grew = true
  while (grew) {
    grew = false
    for (const [name, needs] of graph) {
      if (!affected.has(name) && needs.some((need) => affected.has(need))) {
        affected.add(name)
        grew = true
      }
    }
  }
  return affected
}
