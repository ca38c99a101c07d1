import { safeParse } from 'valibot'
import { ZonewrightError } from '../../runtime/errors.ts'
import { Migration, type StoreMigration } from '../../runtime/migration.ts'
import type { Clock, Files } from '../../runtime/platform/ports.ts'
import type { Moved, MoveProgress } from '../../runtime/store/move/move.ts'
import { file } from '../init.ts'
import { parseJson } from '../parse-json.ts'

/** Undefined where nothing was ever moved. One that cannot be read is none: what is true stands in the stores. */
export async function readJournal(files: Pick<Files, 'read'>): Promise<Migration | undefined> {
  const bytes = await files.read(file.migration)
  const parsed = bytes && safeParse(Migration, parseJson(bytes))
  return parsed?.success ? parsed.output : undefined
}

/**
 * What became of a migration, for people: it is written at each phase of each store. What is to be done next is never
 * read from here, but from the stores and from etcd, where each step is one durable write.
 */
export class Journal {
  readonly #files: Files
  readonly #clock: Clock
  readonly #onChange: (migration: Migration) => void
  readonly #stores = new Map<string, StoreMigration>()
  #rest: Omit<Migration, 'stores'>
  #writing: Promise<void> = Promise.resolve()

  constructor(
    files: Files, clock: Clock, target: { readonly endpoints: readonly string[]; readonly prefix: string },
    stores: readonly string[], onChange: (migration: Migration) => void,
  ) {
    this.#files = files
    this.#clock = clock
    this.#onChange = onChange
    this.#rest = {
      state: 'running', endpoints: [...target.endpoints], prefix: target.prefix, startedMs: clock.now(), endedMs: null,
      error: null,
    }
    for (const name of stores) this.#stores.set(name, waiting(name))
  }

  get migration(): Migration {
    return { ...this.#rest, stores: [...this.#stores.values()] }
  }

  begin(): Promise<void> {
    return this.#write()
  }

  /** A phase is in the journal before the next one is told of, but nobody waits for that. */
  progress(name: string, { phase, total, entries, verified, bytes, behind, waits }: MoveProgress): void {
    const before = this.#of(name)
    this.#stores.set(name, {
      ...before, phase, total, entries, verified, bytes, behind, waits,
      startedMs: before.startedMs ?? this.#clock.now(),
    })
    if (before.phase === phase) this.#onChange(this.migration)
    else void this.#write()
  }

  async moved(name: string, moved: Moved): Promise<void> {
    const { entries, bytes, digest, revision, fenceMs, fences } = moved
    const before = this.#of(name)
    this.#stores.set(name, {
      ...before, phase: 'done', entries, bytes, total: before.total || entries, verified: entries, behind: 0,
      waits: false, digest, revision, fenceMs, fences, before: !moved.moved, startedMs: before.startedMs,
      endedMs: this.#clock.now(),
    })
    await this.#write()
  }

  /** It was found there. */
  async found(name: string, entries: number, digest: string | null): Promise<void> {
    this.#stores.set(name, {
      ...this.#of(name), phase: 'done', total: entries, entries, verified: entries, digest, before: true,
      endedMs: this.#clock.now(),
    })
    await this.#write()
  }

  async end(failure?: unknown): Promise<void> {
    const error = failure === undefined ? null : told(failure)
    this.#rest = { ...this.#rest, state: error ? 'failed' : 'done', endedMs: this.#clock.now(), error }
    await this.#write()
  }

  #of(name: string): StoreMigration {
    return this.#stores.get(name) ?? waiting(name)
  }

  /** One after the other, each as it is when its turn comes. */
  #write(): Promise<void> {
    this.#onChange(this.migration)
    this.#writing = this.#writing.catch(() => {}).then(() => this.#files.write(
      file.migration, new TextEncoder().encode(`${JSON.stringify(this.migration)}\n`), { mode: 0o600 },
    ))
    this.#writing.catch(() => {})
    return this.#writing
  }
}

export function told(failure: unknown): { code: string; message: string; next: string } {
  if (!(failure instanceof ZonewrightError)) return { code: 'Internal', message: String(failure), next: '' }
  const { code, message, details: { next = '' } } = failure
  return { code, message, next: String(next) }
}

const waiting = (name: string): StoreMigration => ({
  name, phase: 'waiting', total: 0, entries: 0, verified: 0, bytes: 0, behind: 0, waits: false, startedMs: null,
  endedMs: null, fenceMs: 0, fences: 0, revision: null, digest: null, before: false,
})
