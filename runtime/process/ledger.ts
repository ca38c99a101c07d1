import { safeParse } from 'valibot'
import { StartFailed } from '../errors.ts'
import type { Files, Random } from '../platform/ports.ts'
import type { Machine, User } from '../platform/process-ports.ts'
import { integer, maxValue, minValue, number, object, pipe, record, string, type Infer } from '../protocol.ts'
import { toBase64url } from '../trust/base64url.ts'

/** What distributions leave for users that come and go (systemd.exec(5), DynamicUser=). */
export const serviceUsers = { from: 61_184, to: 65_519 } as const

const UserId = pipe(number(), integer(), minValue(serviceUsers.from), maxValue(serviceUsers.to))
const Ledger = object({
  /** In the environment of all that this host starts: what an earlier start left is known by it. */
  mark: string(),
  /** Where that was: a copy of the folder marks what it starts anew. */
  path: string(),
  /** By service, for good: what a service has written belongs to its number. */
  users: record(string(), UserId),
})
type Ledger = Infer<typeof Ledger>

const FILE = 'processes.json'
const FILE_MODE = 0o600
const MARK_BYTES = 16

/** What of the processes of one host outlives the zone's own: a file beside their folders. */
export interface ProcessLedger {
  readonly mark: string
  /** The service's own user: the one that it was given first. @throws StartFailed when none is left, or it is taken */
  userOf(service: string): Promise<User>
}

/** @throws StartFailed when the file is damaged */
export async function openLedger(files: Files, machine: Machine, random: Random): Promise<ProcessLedger> {
  const path = files.path(FILE)
  const read = await readLedger(files)
  const moved = read?.path !== path
  let ledger: Ledger = moved
    ? { mark: toBase64url(random.bytes(MARK_BYTES)), path, users: read?.users ?? {} } : read
  let writing: Promise<void> = Promise.resolve()
  const write = (changed: Ledger): Promise<void> => {
    ledger = changed
    const contents = new TextEncoder().encode(`${JSON.stringify(changed, null, 2)}\n`)
    const written = writing.then(() => files.write(FILE, contents, { mode: FILE_MODE }))
    writing = written.catch(() => {})
    return written
  }
  if (moved) await write(ledger)
  return {
    mark: ledger.mark,
    async userOf(service) {
      const taken = await machine.usersTaken(serviceUsers)
      const given = Object.hasOwn(ledger.users, service) ? ledger.users[service] : undefined
      if (given !== undefined) {
        if (taken.has(given)) throw userTaken(service, given, path)
        await writing
        return { uid: given, gid: given }
      }
      const uid = freeUser(random, new Set([...taken, ...Object.values(ledger.users)]))
      if (uid === undefined) throw noneLeft(service, path)
      await write({ ...ledger, users: { ...ledger.users, [service]: uid } })
      return { uid, gid: uid }
    },
  }
}

async function readLedger(files: Files): Promise<Ledger | undefined> {
  const bytes = await files.read(FILE)
  if (!bytes) return undefined
  try {
    const parsed = safeParse(Ledger, JSON.parse(new TextDecoder().decode(bytes)))
    if (parsed.success) return parsed.output
  } catch {
    // The same as one of another shape
  }
  const path = files.path(FILE)
  throw new StartFailed(`The list of processes is damaged: ${path}`, {
    path, next: 'Restore it from a backup: it says which user the folders beside it belong to',
  })
}

/** From a random one on: two zones of one machine know nothing of each other. */
function freeUser(random: Random, taken: ReadonlySet<number>): number | undefined {
  const { from, to } = serviceUsers
  const count = to - from + 1
  const [high = 0, low = 0] = random.bytes(2)
  const start = ((high << 8) + low) % count
  for (let step = 0; step < count; step++) {
    const user = from + ((start + step) % count)
    if (!taken.has(user)) return user
  }
  return undefined
}

const userTaken = (service: string, user: number, path: string): Error =>
  new StartFailed(`The user of ${service} is another's on this machine: ${user}`, {
    actor: service, next: `End the processes of user ${user}, or give ${service} another number in ${path}`,
  })

const noneLeft = (service: string, path: string): Error =>
  new StartFailed(`No user is left for ${service}: ${serviceUsers.from} to ${serviceUsers.to} are given away`, {
    actor: service, next: `Remove services that are gone from ${path}, and their folders`,
  })
