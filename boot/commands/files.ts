import { Usage } from '../errors.ts'
import type { Terminal } from '../terminal.ts'

/** What a person gives as a file; `-` is stdin. @throws Usage */
export async function textFile(terminal: Terminal, path: string, what = 'file'): Promise<string> {
  if (path === '-') return terminal.readInput()
  const absolute = terminal.absolute(path)
  return terminal.read(absolute).catch((error: Error & { code?: string }) => {
    throw new Usage(`The ${what} cannot be read: ${absolute} (${error.code})`, { path: absolute })
  })
}

/** The first line of a file that holds a secret. @throws Usage */
export async function secretIn(terminal: Terminal, path: string, what: string): Promise<string> {
  const [secret = ''] = (await textFile(terminal, path, `${what} file`)).split(/\r?\n/)
  if (secret !== '') return secret
  throw new Usage(`The ${what} file is empty: ${path}`, { path, next: `Write the ${what} into its first line` })
}
