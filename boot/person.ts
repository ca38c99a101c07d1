import process from 'node:process'
import { Interrupted } from './errors.ts'

/** What the command line asks of the person before it, and of this machine's clock and processes. */

const ENTER = new Set([10, 13])
const ERASE = new Set([8, 127])
const END_OF_INPUT = 4
const INTERRUPT = 3
const ESCAPE = 27

export async function readInput(): Promise<string> {
  const chunks: Uint8Array[] = []
  for await (const chunk of process.stdin) chunks.push(chunk as Uint8Array)
  return Buffer.concat(chunks).toString('utf8')
}

/** On stderr, so that stdout stays what was asked for. */
export async function askPerson(question: string, { secret = false } = {}): Promise<string> {
  const { stdin, stderr } = process
  // First: whoever types as soon as the question is there must not be shown
  if (secret) stdin.setRawMode(true)
  stderr.write(question)
  const line = new Line()
  try {
    return await new Promise<string>((settle, reject) => {
      const ended = (): void => reject(new Interrupted('The input ended before an answer was given'))
      const interrupted = (): void => reject(new Interrupted('Interrupted before an answer was given'))
      stdin.on('data', (chunk: Buffer) => {
        for (const byte of chunk) {
          if (ENTER.has(byte)) return settle(line.text())
          if (secret && byte === INTERRUPT) return interrupted()
          if (secret && byte === END_OF_INPUT) return ended()
          // An arrow key would become part of the secret unseen
          if (secret && byte === ESCAPE) return reject(new Interrupted('A key that is no letter was typed'))
          line.add(byte, secret)
        }
      })
      stdin.on('end', ended)
      stdin.on('error', reject)
      // Paused by an earlier question, it does not flow by itself
      stdin.resume()
    })
  } finally {
    stdin.removeAllListeners('data')
    stdin.removeAllListeners('end')
    stdin.removeAllListeners('error')
    // Else it keeps the process alive
    stdin.pause()
    if (secret) {
      stdin.setRawMode(false)
      stderr.write('\n')
    }
  }
}

/** What is typed into a terminal that does not edit lines itself. */
class Line {
  #bytes: number[] = []

  add(byte: number, raw: boolean): void {
    // A terminal that edits lines itself sends what is left
    if (raw && ERASE.has(byte)) this.#bytes = [...Buffer.from([...this.text()].slice(0, -1).join(''))]
    else this.#bytes.push(byte)
  }

  text(): string {
    return Buffer.from(this.#bytes).toString('utf8')
  }
}

const two = (value: number): string => String(value).padStart(2, '0')

export function localTime(atMs: number): string {
  const at = new Date(atMs)
  const time = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`
  const text = `${time}.${String(at.getMilliseconds()).padStart(3, '0')}`
  if (at.toDateString() === new Date().toDateString()) return text
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${text}`
}

export function timeOf(httpDate: string): number | undefined {
  const ms = Date.parse(httpDate)
  return Number.isNaN(ms) ? undefined : ms
}

export function isRunning(processId: number): boolean {
  try {
    process.kill(processId, 0)
    return true
  } catch (error) {
    return (error as { code?: string }).code === 'EPERM'
  }
}
