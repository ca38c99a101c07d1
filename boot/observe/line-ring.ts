import { Overloaded } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import type { LogLine } from '../../runtime/supervision.ts'
import type { LogQuery } from './observer.ts'

export interface LineRing {
  /** Numbers the line, and forgets the oldest one when there are `limits.logLinesKept`. */
  add(line: Omit<LogLine, 'sequence'>): LogLine
  /**
   * Ends when `signal` aborts or the ring closes, or without `follow` after what there is. A reader has no queue of its
   * own: one that is slower than the ring is told how many lines it did not see. @throws Overloaded
   */
  read(query: LogQuery, signal: AbortSignal): AsyncGenerator<LogLine>
  close(): void
  /** Lines that readers were too slow for. */
  readonly skipped: number
}

export function createLineRing(capacity: number = limits.logLinesKept): LineRing {
  const lines: LogLine[] = []
  let last = 0
  let skipped = 0
  let closed = false
  /** Wakes each reader that follows. */
  const followers = new Set<() => void>()
  const oldest = (): number => Math.max(1, last - capacity + 1)
  const at = (sequence: number): LogLine => lines[sequence % capacity]!
  const wakeAll = (): void => {
    for (const wake of followers) wake()
  }
  /** Sequence of the first of the last `tail` lines that match. */
  const tailFrom = (from: number, tail: number, matches: (line: LogLine) => boolean): number => {
    let first = last + 1
    for (let sequence = last, left = tail; sequence >= from && left > 0; sequence--) {
      if (!matches(at(sequence))) continue
      first = sequence
      left--
    }
    return first
  }
  /** Said in the place of lines that are gone: the number of the last of them, so that a reader goes on after it. */
  const gap = (from: number, to: number): LogLine => {
    skipped += to - from
    return {
      sequence: to - 1, at: at(to).at, host: '', actor: 'observer', level: 'warn',
      message: `This reader is too slow: ${to - from} lines of all actors were skipped`, fields: { skipped: to - from },
    }
  }
  return {
    add(line) {
      const numbered = { sequence: ++last, ...line }
      lines[last % capacity] = numbered
      wakeAll()
      return numbered
    },
    async *read({ host, actor, after = 0, tail, follow }, signal) {
      if (follow && followers.size >= limits.logFollowers) {
        throw new Overloaded(`Too many follow the log: ${followers.size}`)
      }
      const matches = (line: LogLine): boolean =>
        (host === undefined || line.host === host) && (actor === undefined || line.actor === actor)
      // A number that was not given out yet is of an earlier process
      const known = after > last ? 0 : after
      let next = tailFrom(Math.max(oldest(), known + 1), tail, matches)
      const until = follow ? Infinity : last
      let resume = (): void => {}
      const wake = (): void => resume()
      signal.addEventListener('abort', wake, { once: true })
      if (follow) followers.add(wake)
      try {
        while (!signal.aborted && next <= until) {
          if (next > last) {
            if (closed) return
            await new Promise<void>((resolve) => { resume = resolve })
          } else if (next < oldest()) {
            const first = oldest()
            yield gap(next, first)
            next = first
          } else {
            const line = at(next++)
            if (matches(line)) yield line
          }
        }
      } finally {
        followers.delete(wake)
        signal.removeEventListener('abort', wake)
      }
    },
    close() {
      closed = true
      wakeAll()
    },
    get skipped() {
      return skipped
    },
  }
}
