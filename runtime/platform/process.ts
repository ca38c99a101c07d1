import { spawn, type ChildProcess } from 'node:child_process'
import { access, constants } from 'node:fs/promises'
import process from 'node:process'
import { StartFailed } from '../errors.ts'
import type { Host } from './ports.ts'
import type { ProcessOptions, SpawnedProcess } from './process-ports.ts'
import { guardGroup } from './process-guard.ts'
import { readOutput } from './process-output.ts'
import { endProcesses, signalGroup } from './process-table.ts'

type Exit = Parameters<Parameters<SpawnedProcess['onExit']>[0]>[0]

/** `node:child_process` on both runtimes. */
export const spawnProcess: Host['spawnProcess'] = async (options) => {
  const guard = await guardGroup()
  const child = await started(options)
  const group = child.pid!
  const release = guard(group)
  const { user, mark } = options
  let exit: Exit | undefined
  const exited = new Promise<Exit>((resolve) => {
    child.once('exit', (code, signal) => {
      exit = { code: code ?? undefined, signal: signal ?? undefined }
      resolve(exit)
    })
  })
  const output = readOutput(child.stdout!, child.stderr!)
  return {
    processId: group,
    onLine: output.onLine,
    onDropped: output.onDropped,
    onExit: (listener) => void exited.then(listener),
    signal(name) {
      // Once its leader is gone the number may come to stand for another group; `end` looks closer
      if (!exit) signalGroup(group, name)
    },
    async end(graceMs) {
      const { left } = await endProcesses({ group, mark, ...(user ? { user: user.uid } : {}) }, graceMs)
      release()
      return left
    },
  }
}

/** @throws StartFailed. Of the error only its code is told: its message may hold what the environment holds */
function started(options: ProcessOptions): Promise<ChildProcess> {
  const [name = ''] = options.command
  const failed = (error: unknown): Error => {
    const code = (error as { code?: string }).code ?? 'unknown error'
    const next = 'See that the program can be run on this host, and its interpreter if it is a script'
    return new StartFailed(`The command cannot be run: ${name} (${code})`, { command: name, reason: code, next })
  }
  return new Promise((resolve, reject) => {
    void commandOf(options).then(({ program, args, user }) => {
      const { env, folder: cwd, input } = options
      const child = spawn(program, args, {
        cwd, env, detached: true, stdio: [input ? 'pipe' : 'ignore', 'pipe', 'pipe'], windowsHide: true, ...user,
      })
      child.once('error', (error) => reject(failed(error)))
      // One that does not read it has ended, or will
      child.stdin?.on('error', () => {}).end(input)
      if (child.pid !== undefined) resolve(child)
    }).catch((error: unknown) => reject(failed(error)))
  })
}

const SETPRIV = '/usr/bin/setpriv'

/**
 * setpriv (util-linux) gives up the user after the folder was entered, which Deno does the other way round, and takes
 * the right to gain privileges from a set-user-id program. It replaces itself, so that the process id is the service's.
 */
async function commandOf({ command: [program = '', ...args], user }: ProcessOptions) {
  if (!user || user.uid === process.getuid?.()) return { program, args, user: {} }
  const isThere = await access(SETPRIV, constants.X_OK).then(() => true, () => false)
  if (!isThere) return { program, args, user: { uid: user.uid, gid: user.gid } }
  const [uid, gid] = [String(user.uid), String(user.gid)]
  const flags = ['--reuid', uid, '--regid', gid, '--clear-groups', '--inh-caps', '-all', '--no-new-privs', '--']
  return { program: SETPRIV, args: [...flags, program, ...args], user: {} }
}
