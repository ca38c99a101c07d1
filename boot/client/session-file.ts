import { safeParse } from 'valibot'
import { isName } from '../../actors/records.ts'
import { FolderInUse } from '../../runtime/errors.ts'
import { limits } from '../../runtime/limits.ts'
import type { Files, Platform } from '../../runtime/platform/ports.ts'
import { object, string, type Infer } from '../../runtime/protocol.ts'
import { toBase64url } from '../../runtime/trust/base64url.ts'
import { pause } from '../../runtime/within.ts'
import { Usage } from '../errors.ts'
import { parseJson } from '../parse-json.ts'
import type { Terminal } from '../terminal.ts'

const Saved = object({ scope: string(), user: string(), sessionToken: string(), refreshToken: string() })
/** A login, as it is kept between commands. */
export type Saved = Infer<typeof Saved>

export interface SessionFile {
  read(): Promise<Saved | undefined>
  /**
   * One command of this user at a time: a refresh token is good once, so two that use it together would end the
   * session of both. What it returns is kept instead of what was there; undefined removes that.
   */
  change(work: (saved: Saved | undefined) => Promise<Saved | undefined>): Promise<void>
}

export interface SessionPlace {
  /** Of the zone. */
  readonly scope: string
  /** Undefined: whoever logged in last. */
  readonly user: string | undefined
  /** `--session`: this file and no other. */
  readonly file: string | undefined
}

const CURRENT = 'current'
const LOCK = 'lock'
const encoder = new TextEncoder()

/** @throws Usage */
export function openSessionFile(terminal: Terminal, platform: Platform, place: SessionPlace): SessionFile {
  if (place.user !== undefined && !isName(place.user)) {
    throw new Usage(`It is not the name of a user: ${place.user}`, { next: 'Names are of a to z, 0 to 9, - and _' })
  }
  return place.file === undefined
    ? inStateFolder(terminal, platform, place)
    : inFile(terminal, platform, terminal.absolute(place.file))
}

/** XDG Base Directory: what is kept between runs, but is neither configuration nor worth a backup. */
export function stateFolder({ host }: Pick<Platform, 'host'>): string {
  const given = host.env('XDG_STATE_HOME')
  if (given?.startsWith('/')) return `${given}/zonewright`
  const home = host.env('HOME')
  if (home) return `${home}/.local/state/zonewright`
  throw new Usage('There is no HOME to keep the session in', { next: 'Give a file with --session' })
}

function inStateFolder(terminal: Terminal, platform: Platform, { scope, user }: SessionPlace): SessionFile {
  const folder = `${stateFolder(platform)}/${scope}`
  const current = async (): Promise<string | undefined> => {
    const name = user ?? (await textAt(terminal, `${folder}/${CURRENT}`))?.trim()
    return name !== undefined && isName(name) ? name : undefined
  }
  const read = async (): Promise<Saved | undefined> => {
    const name = await current()
    return name === undefined ? undefined : savedIn(await textAt(terminal, `${folder}/${name}.json`))
  }
  return {
    read,
    async change(work) {
      const files = await openPrivate(platform, folder)
      await locked(platform, files, async () => {
        const before = await current()
        const saved = await work(await read())
        if (saved) {
          await write(files, `${saved.user}.json`, `${JSON.stringify(saved)}\n`)
          if (saved.user !== before) await write(files, CURRENT, `${saved.user}\n`)
        } else if (before !== undefined) await files.remove(`${before}.json`)
      })
    },
  }
}

/** The lock is not beside it: that folder is the user's own, and may be of any size and use. */
function inFile(terminal: Terminal, platform: Platform, path: string): SessionFile {
  const [folder, name] = [path.slice(0, path.lastIndexOf('/')) || '/', path.slice(path.lastIndexOf('/') + 1)]
  const read = async (): Promise<Saved | undefined> => savedIn(await textAt(terminal, path))
  return {
    read,
    async change(work) {
      const files = await platform.host.openFolder(folder)
      const id = toBase64url(platform.keys.hash(encoder.encode(path))).slice(0, 16)
      const locks = await openPrivate(platform, `${stateFolder(platform)}/files/${id}`)
      await locked(platform, locks, async () => {
        const saved = await work(await read())
        if (saved) await write(files, name, `${JSON.stringify(saved)}\n`)
        else await files.remove(name)
      })
    },
  }
}

const write = (files: Files, name: string, text: string): Promise<void> =>
  files.write(name, encoder.encode(text), { mode: 0o600 })

export async function openPrivate({ host }: Pick<Platform, 'host'>, folder: string): Promise<Files> {
  const files = await host.openFolder(folder)
  await files.makeFolder('.', { mode: 0o700 })
  return files
}

async function locked(platform: Platform, files: Files, work: () => Promise<void>): Promise<void> {
  const unlock = await takeLock(platform, files)
  try {
    await work()
  } finally {
    await unlock()
  }
}

async function takeLock({ clock }: Platform, files: Files): Promise<() => Promise<void>> {
  const until = clock.monotonic() + limits.clientLockMs
  for (;;) {
    try {
      return await files.lock(LOCK)
    } catch (error) {
      if (!(error instanceof FolderInUse) || clock.monotonic() >= until) throw error
      await pause(clock, limits.clientRetryMs / 10)
    }
  }
}

/** Undefined where there is none. */
async function textAt(terminal: Terminal, path: string): Promise<string | undefined> {
  return terminal.read(path).catch((error: Error & { code?: string }) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined
    throw new Usage(`The session cannot be read: ${path} (${error.code})`, { path })
  })
}

/** One that is damaged is none: its user logs in again. */
function savedIn(text: string | undefined): Saved | undefined {
  if (text === undefined) return undefined
  const parsed = safeParse(Saved, parseJson(encoder.encode(text)))
  return parsed.success ? parsed.output : undefined
}
