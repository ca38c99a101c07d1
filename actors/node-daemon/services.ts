import { limits } from '../../runtime/limits.ts'
import type { Client } from '../../runtime/protocol.ts'
import type { Supervision } from '../../runtime/supervision.ts'
import type { ServiceSpec } from '../records.ts'
import { loginTokenName } from '../session.ts'
import { difference, readWanted, type Read } from './converge.ts'

export interface ServicesOptions {
  readonly host: string
  readonly supervision: Client<typeof Supervision>
  readonly read: Read
  /** A login token for a service that starts now. */
  readonly login: (spec: ServiceSpec) => string
  readonly epoch: string
}

export interface Converged {
  readonly revision: number
  readonly started: string[]
  readonly stopped: string[]
}

/** Drives the services of this host to what its config wants; of an OOD and of a node alike. */
export function createServices({ host, supervision, read, login, epoch }: ServicesOptions) {
  /** verify-hub logs in to nobody: it issues its own session. */
  const envOf = (spec: ServiceSpec): Record<string, string> =>
    spec.name === 'verify-hub' ? { ZONEWRIGHT_EPOCH: epoch } : { [loginTokenName(spec.appid)]: login(spec) }

  const convergeNow = async (): Promise<Converged> => {
    const wanted = await readWanted(host, read)
    const { start: toStart, stop: toStop } = difference(wanted, await supervision.list({}))
    // Longer than one stop, or one start, may take, so that what is told is which actor did not
    const settings = { withinMs: 2 * limits.startMs }
    for (const name of toStop) await supervision.stop({ name }, settings)
    if (toStart.length > 0) {
      const actors = toStart.map((name) => ({ name, env: envOf(wanted.specs.get(name)!) }))
      await supervision.start({ actors }, settings)
    }
    return { revision: wanted.revision, started: [...toStart], stopped: [...toStop] }
  }

  let running: Promise<Converged> | undefined
  return {
    /** One at a time; who asks meanwhile gets the result of the next. */
    async converge(): Promise<Converged> {
      while (running) await running.catch(() => {})
      running = convergeNow().finally(() => { running = undefined })
      return running
    },
  }
}
