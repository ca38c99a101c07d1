/**
 * A look that many ask for at once: who asks while one is under way gets the next, which begins when that has ended and
 * is shared by all who came by then. So nobody is told anything from before it asked.
 */
export function nextShared<T>(look: () => Promise<T>): () => Promise<T> {
  let running: Promise<unknown> | undefined
  let next: Promise<T> | undefined
  const begin = (): Promise<T> => {
    next = undefined
    const result = look()
    const ended = result.then(() => {}, () => {})
    running = ended
    void ended.then(() => {
      if (running === ended) running = undefined
    })
    return result
  }
  return () => {
    if (!running) return begin()
    next ??= running.then(begin)
    return next
  }
}
