import { limits } from '../../runtime/limits.ts'
import { Interrupted } from '../errors.ts'
import type { Terminal } from '../terminal.ts'

/** Lines of a trace between two looks at the clock. */
const LINES = 256

/** Says now and then, on a terminal, how far it is. @returns what is told of each line of a trace */
export function progress(
  terminal: Terminal, { json }: { readonly json?: true }, tell: (seconds: number) => string,
): () => void {
  const began = terminal.elapsedMs()
  let told = began
  let lines = 0
  let isOver = json === true || terminal.columns === undefined
  if (!isOver) void terminal.interrupted().then(() => (isOver = true))
  return () => {
    if (isOver || ++lines % LINES !== 0) return
    const now = terminal.elapsedMs()
    if (now - told < limits.simulationProgressMs) return
    told = now
    terminal.error(tell((now - began) / 1_000))
  }
}

export const perSecond = (count: number, seconds: number): string => `${Math.round(count / Math.max(seconds, 0.001))}/s`

/** A run has no end of its own before its last event: who interrupts it does not wait. @throws Interrupted */
export function orInterrupted<T>(terminal: Terminal, work: Promise<T>): Promise<T> {
  const interrupted = terminal.interrupted().then((name) => {
    throw new Interrupted(`Interrupted by ${name} before the run ended`)
  })
  return Promise.race([work, interrupted])
}
