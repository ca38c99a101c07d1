import type { Terminal } from '../terminal.ts'

/** Runs what goes on until a person ends it: Ctrl-C, or a reader of its output that went away, is its ordinary end. */
export async function untilInterrupted(
  terminal: Terminal, run: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const life = new AbortController()
  const end = (): void => life.abort()
  void terminal.interrupted().then(end)
  terminal.readerGone.addEventListener('abort', end)
  if (terminal.readerGone.aborted) end()
  await run(life.signal)
}
