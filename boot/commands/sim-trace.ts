import { AlreadyExists, DiskFull, NotWritable } from '../../runtime/errors.ts'
import type { NewFile, Terminal } from '../terminal.ts'

export interface TraceFile {
  write(line: string): void
  /** @throws NotWritable, DiskFull: what became of the lines is known now */
  close(): void
}

/** The lines of a run in a file, which is not there before. @throws AlreadyExists, NotWritable */
export function openTrace(terminal: Terminal, given: string): TraceFile {
  const path = terminal.absolute(given)
  let file: NewFile
  try {
    file = terminal.newFile(path)
  } catch (error) {
    throw refusal(error, path)
  }
  return {
    write: (line) => file.write(`${line}\n`),
    close() {
      try {
        file.close()
      } catch (error) {
        throw refusal(error, path)
      }
    },
  }
}

function refusal(error: unknown, path: string): unknown {
  const { code } = error as { code?: string }
  if (code === 'EEXIST') {
    const next = 'Give --trace another path, or remove it'
    return new AlreadyExists(`The file is there already: ${path}`, { path, next })
  }
  const message = `The trace cannot be written: ${path} (${code})`
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new DiskFull(message, { path, next: 'Make room, or say fewer --hours' })
  }
  if (code === undefined) return error
  return new NotWritable(message, { path, next: 'Give --trace a path that can be written' })
}
