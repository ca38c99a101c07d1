import { writeSync } from 'node:fs'
import { catalogue } from '../../boot/catalogue.ts'
import { exitCodeOf, failureOf } from '../../boot/commands/failure.ts'
import { up } from '../../boot/up.ts'
import { ZonewrightError } from '../../runtime/errors.ts'
import { openPlatform } from '../../runtime/platform/index.ts'
import { createTrace } from '../../runtime/trace.ts'

/** One attempt to boot a folder. */
export interface Attempt {
  readonly folder: string
  /** Modules in place of those of the catalogue, by the name of the actor. */
  readonly modules?: Readonly<Record<string, string>>
  readonly ownerPassphrase?: string
  /** The only actors of the catalogue that there are. */
  readonly actors?: readonly string[]
}

export interface Outcome {
  readonly folder: string
  /** `booted`, or the code of the error. */
  readonly code: string
  readonly exit: number
  readonly message: string
  readonly next: string
  readonly details: Readonly<Record<string, unknown>>
  readonly denials: number
  readonly zone?: { readonly name: string; readonly secondBoot: boolean; readonly root: string }
}

/** Attempts one after the other, each told as a line; then this process has to end by itself. */
export async function badInputChild(attempts: readonly Attempt[]): Promise<void> {
  const platform = await openPlatform()
  for (const attempt of attempts) {
    const outcome = await tryUp(platform, attempt)
    writeSync(1, `${JSON.stringify(outcome)}\n`)
  }
}

async function tryUp(platform: Awaited<ReturnType<typeof openPlatform>>, attempt: Attempt): Promise<Outcome> {
  const { folder, modules = {}, ownerPassphrase, actors: only } = attempt
  const trace = createTrace()
  let denials = 0
  trace.on('denial', () => void denials++)
  const actors: typeof catalogue = (stores, config) =>
    catalogue(stores, config)
      .filter(({ protocol }) => only?.includes(protocol.name) ?? true)
      .map((spec) => {
        const module = modules[spec.protocol.name]
        return module === undefined ? spec : { ...spec, module: new URL(module) }
      })
  const none = { folder, message: '', next: '', details: {} }
  try {
    const zone = await up({
      platform,
      folder,
      trace,
      actors,
      ...(ownerPassphrase === undefined ? {} : { ownerPassphrase }),
    })
    await zone.stop()
    const { config, identity, secondBoot } = zone
    return {
      ...none,
      code: 'booted',
      exit: 0,
      denials,
      zone: { name: config.zone, secondBoot, root: identity.zone.root.x },
    }
  } catch (error) {
    const { code, message, next = '' } = failureOf(error)
    const details = error instanceof ZonewrightError ? error.details : {}
    return { ...none, code, message, next, details, exit: exitCodeOf(error), denials }
  }
}
