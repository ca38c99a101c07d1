import type { ServerResponse } from 'node:http'

/**
 * Sends a stream as the client reads it: the next piece is asked for when the last one was taken. A client that takes
 * nothing for `stallMs` is cut. When the connection has gone, by whichever side, the stream is left by its `return`;
 * what the stream throws cuts the connection, so that nobody takes what has come for the whole.
 */
export async function sendPieces(
  response: ServerResponse, pieces: AsyncIterable<string | Uint8Array>, stallMs: number,
): Promise<void> {
  const iterator = pieces[Symbol.asyncIterator]()
  let gone = response.destroyed
  let wake = (): void => {}
  response.on('close', () => {
    gone = true
    wake()
  })
  response.on('drain', () => wake())
  const cut = (): void => void response.destroy()
  /** Undefined once the connection has gone, however long the stream takes. */
  const next = (): Promise<IteratorResult<string | Uint8Array> | undefined> => new Promise((resolve, reject) => {
    wake = () => { if (gone) resolve(undefined) }
    iterator.next().then(resolve, reject)
  })
  const taken = async (): Promise<void> => {
    const stalled = setTimeout(cut, stallMs)
    await new Promise<void>((resolve) => {
      wake = resolve
    })
    clearTimeout(stalled)
  }
  let ended = false
  try {
    response.flushHeaders()
    while (!gone) {
      const step = await next()
      ended = step?.done === true
      if (!step || ended || response.destroyed) break
      if (!response.write(step.value)) await taken()
    }
    if (!ended) return
    const stalled = setTimeout(cut, stallMs)
    response.on('close', () => clearTimeout(stalled))
    response.end()
  } catch {
    ended = true
    cut()
  } finally {
    if (!ended) iterator.return?.().catch(() => {})
  }
}
