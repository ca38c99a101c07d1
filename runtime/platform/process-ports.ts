/** The part of the Host port that is about programs of their own. */

/** What there is on this machine beside the zone, as far as services that are processes meet it. */
export interface Machine {
  /** The user that this process runs as, or undefined where the system has none. 0 may choose users for others. */
  readonly user: number | undefined
  condition(folder: string): Promise<Condition>
  /** Undefined where there is nothing. */
  program(path: string): Promise<Program | undefined>
  /** Numbers from the range that people, programs or processes of this machine have. */
  usersTaken(range: { readonly from: number; readonly to: number }): Promise<ReadonlySet<number>>
  /** Makes a folder that is there the user's own: 0700. */
  giveFolder(path: string, user: User): Promise<void>
  /** Ends what was started with an environment that holds an entry which begins so, in whatever group it is by now. */
  endMarked(mark: string): Promise<{ readonly ended: number; readonly left: number }>
}

/** What a machine has, and how much of it is taken now. */
export interface Condition {
  readonly processors: number
  /** Processes that ran or waited, on average of the last minute, in hundredths; 0 where the system does not say. */
  readonly load: number
  readonly memoryBytes: number
  readonly memoryFreeBytes: number
  /** Of the file system of the folder. */
  readonly diskBytes: number
  readonly diskFreeBytes: number
  /** IPv4 and IPv6 addresses at which others reach it: none of loopback, and none that is good on one wire only. */
  readonly addresses: readonly string[]
}

/** What a path leads to. */
export interface Program {
  /** With all links resolved. */
  readonly path: string
  /** A file that may be executed by somebody. */
  readonly executable: boolean
  /** What bars it to those who neither own it nor are in its group: the file itself, or a folder above it. */
  readonly closed: string | undefined
}

export interface User {
  readonly uid: number
  readonly gid: number
}

export interface ProcessOptions {
  /** Program and arguments; no shell reads them. */
  readonly command: readonly string[]
  /** The whole environment: nothing of this process's own is added. */
  readonly env: Readonly<Record<string, string>>
  /** Absolute. The process starts in it, even where its user cannot come to it from above. */
  readonly folder: string
  /** Numeric user and group, where this process may choose them. */
  readonly user?: User
  /** `NAME=value`, an entry of `env`: what came of this process is known by it wherever it went. */
  readonly mark: string
  /** All that it reads from stdin; nothing when absent. */
  readonly input?: Uint8Array
}

export interface SpawnedProcess {
  readonly processId: number
  /** Lines of stdout and stderr; one that is longer than `limits.logLine` comes in parts. */
  onLine(listener: (stream: 'stdout' | 'stderr', line: string) => void): void
  /** At most once a second: how many lines were dropped because there were more than `limits.processLines`. */
  onDropped(listener: (lines: number) => void): void
  /** Runs once. */
  onExit(listener: (exit: { readonly code: number | undefined; readonly signal: string | undefined }) => void): void
  /** To the whole process group. */
  signal(name: 'SIGTERM' | 'SIGKILL'): void
  /**
   * SIGKILL to its group, to what left it, and to all of its own user, after `graceMs` in which they may end by
   * themselves. Settles with how many processes withstood.
   */
  end(graceMs: number): Promise<number>
}
