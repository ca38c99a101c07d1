import { defineError, StartFailed } from '../errors.ts'
import type { Machine } from '../platform/process-ports.ts'

/** This host's own file does not say that the program may run here. */
export const ProcessNotAllowed = defineError('ProcessNotAllowed')

/**
 * Holds the program of a command to what this host allows, by where its path really leads: a link, a relative path or
 * one with `..` is refused, so that what was allowed cannot come to mean another file.
 * @throws ProcessNotAllowed, StartFailed
 */
export async function assertAllowed(
  machine: Machine, allow: readonly string[], name: string, command: readonly string[], ownUser: boolean,
): Promise<void> {
  const [path = ''] = command
  const refuse = (why: string, next: string): Error =>
    new ProcessNotAllowed(`${name} may not run here: ${why}`, { actor: name, command: path, next })
  const fail = (why: string, next: string): Error =>
    new StartFailed(`${name} cannot run: ${why}`, { actor: name, command: path, next })
  if (!isPlain(path)) {
    throw refuse(`its command is no absolute path without . and ..: ${path}`, 'Name the program by its whole path')
  }
  // Before it is looked for: a host tells nobody which files it has
  const next = `Add ${path} to processes.allow in zone.yaml of this host, if it should run here`
  if (!allow.some((entry) => covers(entry, path))) throw refuse(`processes.allow does not name ${path}`, next)
  const program = await machine.program(path)
  if (!program) throw fail(`there is no such program: ${path}`, 'Install it on this host, or correct the command')
  if (program.path !== path) {
    const named = `Name ${program.path} in its command, and in processes.allow in zone.yaml of this host`
    throw refuse(`its command is a link: ${path} leads to ${program.path}`, named)
  }
  if (!program.executable) throw fail(`it is not executable: ${path}`, 'chmod +x it, or correct the command')
  if (ownUser && program.closed !== undefined) {
    const open = `Put it where everybody may come, or open ${program.closed} to others`
    throw fail(`a user of its own cannot come to ${path}: ${program.closed} is closed`, open)
  }
}

/**
 * Put code of any file into a program that was allowed: by the dynamic linker and the C library, which read them also
 * in what starts it as root, and by interpreters, before they come to the script that was allowed.
 */
const LOADERS = new RegExp('^(?:(?:LD|DYLD)_.*|GCONV_PATH|GLIBC_TUNABLES|LOCPATH|NODE_OPTIONS|NODE_PATH|BASH_ENV'
  + '|BASH_FUNC_.*|PYTHON(?:PATH|HOME|STARTUP|USERBASE|INSPECT|BREAKPOINT|WARNINGS)|PERL5(?:OPT|LIB|DB)|PERLLIB'
  + '|RUBY(?:OPT|LIB)|_JAVA_OPTIONS|(?:JDK_|OPENJ9_)?JAVA_(?:TOOL_)?OPTIONS|CLASSPATH|PHPRC|PHP_INI_SCAN_DIR'
  + '|LUA_(?:INIT|PATH|CPATH)(?:_.*)?|DOTNET_STARTUP_HOOKS|CORECLR_PROFILER(?:_.*)?)$')

/** @throws ProcessNotAllowed */
export function assertNoLoader(name: string, env: Readonly<Record<string, string>>): void {
  const found = Object.keys(env).find((each) => LOADERS.test(each))
  if (found === undefined) return
  const text = `${name} may not run here: its environment sets ${found}, which puts code into programs`
  throw new ProcessNotAllowed(text, {
    actor: name, next: `Take ${found} out of its spec, or allow a program that sets it`,
  })
}

const isPlain = (path: string): boolean =>
  path.startsWith('/') && path.slice(1).split('/').every((part) => part !== '' && part !== '.' && part !== '..')

const covers = (entry: string, path: string): boolean =>
  entry.endsWith('/*') ? path.startsWith(entry.slice(0, -1)) : entry === path
