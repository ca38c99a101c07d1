import type { Readable } from 'node:stream'
import { limits } from '../limits.ts'
import type { SpawnedProcess } from './process-ports.ts'

type OnDropped = Parameters<SpawnedProcess['onDropped']>[0]

const WINDOW_MS = 1_000
const NEWLINE = 0x0a
const CARRIAGE_RETURN = 0x0d
const utf8 = new TextDecoder()

/** The output of one process, line by line, bounded in what it may cost this one. */
export function readOutput(stdout: Readable, stderr: Readable): Pick<SpawnedProcess, 'onLine' | 'onDropped'> {
  let onDropped: OnDropped = () => {}
  const allowance = new Allowance((lines) => onDropped(lines), [stdout, stderr])
  return {
    onLine(listener) {
      readLines(stdout, allowance, (line) => listener('stdout', line))
      readLines(stderr, allowance, (line) => listener('stderr', line))
    },
    onDropped(listener) {
      onDropped = listener
    },
  }
}

/** What both streams together may write in one second. */
class Allowance {
  readonly #onDropped: OnDropped
  readonly #streams: readonly Readable[]
  #lines = 0
  #bytes = 0
  #dropped = 0
  #window: ReturnType<typeof setTimeout> | undefined

  constructor(onDropped: OnDropped, streams: readonly Readable[]) {
    this.#onDropped = onDropped
    this.#streams = streams
  }

  get exhausted(): boolean {
    return this.#lines >= limits.processLines
  }

  line(): void {
    this.#lines++
  }

  drop(lines: number): void {
    this.#dropped += lines
  }

  read(bytes: number): void {
    this.#window ??= setTimeout(() => this.#next(), WINDOW_MS)
    this.#bytes += bytes
    if (this.#bytes > limits.processOutputBytes) for (const stream of this.#streams) stream.pause()
  }

  #next(): void {
    this.#window = undefined
    const [dropped, wasFull] = [this.#dropped, this.#bytes > limits.processOutputBytes]
    this.#lines = this.#bytes = this.#dropped = 0
    if (dropped > 0) this.#onDropped(dropped)
    if (wasFull) for (const stream of this.#streams) stream.resume()
  }
}

function readLines(stream: Readable, allowance: Allowance, onLine: (line: string) => void): void {
  /** The beginning of a line whose end has not come. */
  let rest: Uint8Array = new Uint8Array()
  /** Its beginning was dropped, and so is the rest of it. */
  let skipping = false
  const give = (line: Uint8Array): void => {
    if (allowance.exhausted) return allowance.drop(1)
    allowance.line()
    const end = line.at(-1) === CARRIAGE_RETURN ? line.length - 1 : line.length
    onLine(utf8.decode(line.subarray(0, end)))
  }
  stream.on('data', (chunk: Uint8Array) => {
    allowance.read(chunk.length)
    let from = 0
    while (from < chunk.length) {
      if (allowance.exhausted) {
        // Nothing of it is decoded, only counted
        allowance.drop(linesIn(chunk.subarray(from)))
        skipping = chunk.at(-1) !== NEWLINE
        rest = new Uint8Array()
        return
      }
      const newline = chunk.indexOf(NEWLINE, from)
      const piece = chunk.subarray(from, newline < 0 ? chunk.length : newline)
      from += piece.length + (newline < 0 ? 0 : 1)
      if (!skipping) rest = divided(rest, piece, give)
      if (newline < 0) return
      if (!skipping) give(rest)
      skipping = false
      rest = new Uint8Array()
    }
  })
  stream.on('end', () => {
    if (rest.length > 0) give(rest)
  })
  // What cannot be read any more is as good as ended
  stream.on('error', () => {})
}

/** Gives what is over the length of a line, and keeps the rest. No character is divided. */
export function divided(rest: Uint8Array, piece: Uint8Array, give: (line: Uint8Array) => void): Uint8Array {
  if (rest.length + piece.length <= limits.logLine) return joined(rest, piece)
  let line = joined(rest, piece)
  while (line.length > limits.logLine) {
    let at: number = limits.logLine
    // UTF-8: a byte 10xxxxxx goes on with the character before it, of four bytes at most
    for (let back = 0; back < 3 && ((line[at] ?? 0) & 0xc0) === 0x80; back++) at--
    give(line.subarray(0, at))
    line = line.subarray(at)
  }
  return line
}

function joined(left: Uint8Array, right: Uint8Array): Uint8Array {
  // A copy in any case: the chunk is the stream's
  const both = new Uint8Array(left.length + right.length)
  both.set(left)
  both.set(right, left.length)
  return both
}

/** As many as would have been given of it. */
function linesIn(chunk: Uint8Array): number {
  let lines = 0
  for (const byte of chunk) if (byte === NEWLINE) lines++
  return Math.max(lines, Math.ceil(chunk.length / limits.logLine))
}
