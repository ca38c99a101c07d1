import { messageOf } from '../errors.ts'
import { limits } from '../limits.ts'
import type { Files, Platform } from '../platform/ports.ts'
import type { User } from '../platform/process-ports.ts'
import type { Trace } from '../trace.ts'
import { pause } from '../within.ts'
import { assertAllowed, assertNoLoader } from './allowed.ts'
import { openLedger, type ProcessLedger } from './ledger.ts'
import type { ProcessesOptions } from './processes.ts'

/** Where a process starts, and as whom. */
export interface Place {
  readonly folder: string
  readonly user?: User
  readonly mark: { readonly name: string; readonly value: string }
}

/** What the processes of one host share. */
export interface Premises {
  readonly platform: Platform
  readonly host: string
  readonly trace: Trace
  /** @throws ProcessNotAllowed, StartFailed */
  placeFor(name: string, command: readonly string[], incarnation: number): Promise<Place>
  /** The whole of it, from what its daemon gave. @throws ProcessNotAllowed */
  environment(name: string, given: Readonly<Record<string, string>>): Promise<Readonly<Record<string, string>>>
  /** Settles when what an earlier start of this host left has ended. */
  readonly ready: Promise<void>
}

const MARK = 'ZONEWRIGHT_RUN'
const ADDRESS = 'ZONEWRIGHT_GATEWAY'
const ADDRESS_LOOK_MS = 50
const FOLDER_MODE = 0o700
const ROOT = 0

export function createPremises(options: ProcessesOptions): Premises {
  const { platform, host, trace, allow, folder, address } = options
  const { machine, openFolder } = platform.host
  const random = platform.random.fork('processes')
  const warn = (actor: string, message: string): void =>
    trace.emit('log', { host, actor, at: platform.clock.now(), level: 'warn', message, fields: {} })

  let opening: Promise<{ files: Files; ledger: ProcessLedger }> | undefined
  /** Made by the first who needs it: a host without processes has no such folder. */
  const open = () => {
    opening ??= openFolder(folder)
      .then(async (files) => ({ files, ledger: await openLedger(files, machine, random) }))
      .catch((error: unknown) => {
        opening = undefined
        throw error
      })
    return opening
  }
  const endLeftovers = async (): Promise<void> => {
    if (await machine.program(folder) === undefined) return
    const { ended, left } = await machine.endMarked(`${MARK}=${(await open()).ledger.mark}.`)
    if (ended > 0) warn('supervisor', `Processes that an earlier start had left were ended: ${ended}`)
    if (left > 0) warn('supervisor', `Processes that an earlier start had left cannot be ended: ${left}`)
  }
  const ready = endLeftovers().catch((error: unknown) => {
    warn('supervisor', `Processes of an earlier start could not be looked for: ${messageOf(error)}`)
  })

  let told = false
  const tellOfUser = (name: string): void => {
    if (told) return
    told = true
    warn(name, `Services run as the zone's own user (${machine.user ?? 'unknown'}), and can read what it can: `
      + 'only a zone that runs as root gives each a user of its own')
  }
  /** The gateway starts beside it. */
  const addressOf = async (): Promise<string | undefined> => {
    if (!address) return undefined
    const began = platform.clock.monotonic()
    for (;;) {
      const found = await address()
      if (found !== undefined || platform.clock.monotonic() - began >= limits.processAddressMs) return found
      await pause(platform.clock, ADDRESS_LOOK_MS)
    }
  }
  return {
    platform, host, trace, ready,
    async placeFor(name, command, incarnation) {
      await ready
      const own = machine.user === ROOT
      await assertAllowed(machine, allow, name, command, own)
      const { files, ledger } = await open()
      await files.makeFolder(name, { mode: FOLDER_MODE })
      const user = own ? await ledger.userOf(name) : undefined
      if (user) await machine.giveFolder(files.path(name), user)
      else tellOfUser(name)
      const value = `${ledger.mark}.${name}.${incarnation}.${platform.host.processId}`
      return { folder: files.path(name), mark: { name: MARK, value }, ...(user ? { user } : {}) }
    },
    async environment(name, given) {
      assertNoLoader(name, given)
      const gateway = await addressOf()
      return gateway === undefined ? given : { ...given, [ADDRESS]: gateway }
    },
  }
}
