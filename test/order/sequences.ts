import type { Run } from './play.ts'
import type { Handed } from './protocol.ts'

/** Messages in order: by life of the caller, callee and lane. */
export type Sequences = ReadonlyMap<string, readonly string[]>

/** As the callees were handed them. */
export const handedIn = (run: Run): Sequences => group((['ledger', 'hub'] as const).flatMap((callee) => {
  const lifeOf = livesOf(run[callee])
  return run[callee].map((handed) => ({ life: lifeOf(handed), callee, what: handed.what }))
}))

/** As their callers sent them. */
export const sentIn = (run: Run): Sequences =>
  group(run.sent.flatMap(([life, sent]) => sent.map(({ callee, what }) => ({ life, callee, what }))))

interface Message { readonly life: string; readonly callee: string; readonly what: string }

function group(messages: readonly Message[]): Sequences {
  const sequences = new Map<string, string[]>()
  for (const { life, callee, what } of messages) {
    const lane = what.slice(what.indexOf(' ') + 1, what.lastIndexOf('/'))
    const key = `${life} > ${callee}: ${lane}`
    const sequence = sequences.get(key)
    if (sequence) sequence.push(what)
    else sequences.set(key, [what])
  }
  return sequences
}

/** Incarnations are numbered by the clock; lives of one caller by 1, 2, … */
function livesOf(handed: readonly Handed[]): (one: Handed) => string {
  const incarnations = (name: string): readonly number[] =>
    [...new Set(handed.filter(({ caller }) => caller === name).map(({ incarnation }) => incarnation))]
      .sort((one, other) => one - other)
  const callers = new Set(handed.map(({ caller }) => caller))
  const known = new Map([...callers].map((name) => [name, incarnations(name)]))
  return ({ caller, incarnation }) => `${caller} ${1 + known.get(caller)!.indexOf(incarnation)}`
}

/** Where the sequences are not the same: the first message of each, with both. */
export function differences(expected: Sequences, actual: Sequences): readonly string[] {
  return [...new Set([...expected.keys(), ...actual.keys()])].flatMap((key) => {
    const [wanted, found] = [expected.get(key) ?? [], actual.get(key) ?? []]
    const length = Math.max(wanted.length, found.length)
    const index = Array.from({ length }, (_, at) => at).find((at) => wanted[at] !== found[at])
    return index === undefined ? [] : [`${key}, message ${index + 1}: ${wanted[index]} | ${found[index]}`]
  })
}

/** In what order the callers came by their turns at the ledger, whatever they sent. */
export const interleaving = ({ ledger }: Run): string => ledger.map(({ caller }) => caller).join()
