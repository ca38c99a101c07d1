import { messageOf } from '../errors.ts'
import { limits } from '../limits.ts'
import type { Clock, Host, Random } from '../platform/ports.ts'
import { toBase64url } from '../trust/base64url.ts'
import { assertAllowed } from './allowed.ts'

/** A program that is asked whether something may be. */
export interface HookPorts {
  readonly host: Pick<Host, 'spawnProcess' | 'machine'>
  readonly clock: Clock
  readonly random: Random
  /** Absolute path; nobody but the host's own file names it. */
  readonly program: string
  /** Absolute path of the folder that it starts in. */
  readonly folder: string
}

export interface HookVerdict {
  readonly allowed: boolean
  /** Its first line, or why there is none. */
  readonly said: string
}

/** Asks it: the question comes by stdin alone. Whatever goes wrong is a no. */
export type Hook = (question: string) => Promise<HookVerdict>

const MARK = 'ZONEWRIGHT_HOOK'
/** What it finds its own tools by; nothing of this process's environment is handed on. */
const PATH = '/usr/local/bin:/usr/bin:/bin'

export function createHook({ host, clock, random, program, folder }: HookPorts): Hook {
  let running = 0
  const no = (said: string): HookVerdict => ({ allowed: false, said })

  const ask = async (question: string): Promise<HookVerdict> => {
    await assertAllowed(host.machine, [program], 'The hook', [program], false)
    const mark = toBase64url(random.bytes(12))
    const child = await host.spawnProcess({
      command: [program], env: { PATH, [MARK]: mark }, folder, mark: `${MARK}=${mark}`,
      input: new TextEncoder().encode(question),
    })
    const lines: string[] = []
    let characters = 0
    const verdict = await new Promise<HookVerdict>((resolve) => {
      const cancel = clock.after(limits.hookMs, () => resolve(no(`it took longer than ${limits.hookMs} ms`)))
      child.onLine((_, line) => {
        characters += line.length + 1
        if (characters > limits.hookCharacters) resolve(no(`it said more than ${limits.hookCharacters} characters`))
        else lines.push(line)
      })
      child.onDropped(() => resolve(no('it said more than is read')))
      child.onExit(({ code, signal }) => {
        cancel()
        const said = (lines.find((line) => line.trim() !== '') ?? '').slice(0, limits.hookSaid)
        if (code === 0) resolve({ allowed: true, said })
        else resolve(no(said || (code === undefined ? `it ended by ${signal ?? 'a signal'}` : `it ended with ${code}`)))
      })
    })
    // Nothing that it began goes on
    await child.end(0)
    return verdict
  }
  return async (question) => {
    if (running >= limits.hooks) return no(`it is asked ${limits.hooks} times already`)
    running++
    try {
      return await ask(question)
    } catch (error) {
      return no(messageOf(error).slice(0, limits.hookSaid))
    } finally {
      running--
    }
  }
}
