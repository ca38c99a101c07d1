import { safeParse } from 'valibot'
import { Gateway } from '../actors/gateway/protocol.ts'
import type { Files } from '../runtime/platform/ports.ts'
import { integer, number, object, pipe, string, type Infer } from '../runtime/protocol.ts'
import { file } from './init.ts'
import { parseJson } from './parse-json.ts'
import type { RunningZone } from './up.ts'

/** Where a zone that runs is reached, for commands in another terminal. */
export const Endpoint = object({
  zone: string(), host: string(), owner: string(), url: string(),
  /** Thumbprint of the zone's root key: two zones may have one name. */
  root: string(),
  pid: pipe(number(), integer()),
  /** Epoch milliseconds. */
  startedAt: number(),
})
export type Endpoint = Infer<typeof Endpoint>

export function readEndpoint(text: string): Endpoint | undefined {
  const parsed = safeParse(Endpoint, parseJson(new TextEncoder().encode(text)))
  return parsed.success ? parsed.output : undefined
}

/**
 * Writes it, and writes it again when the gateway comes back on another port. @returns what removes it when the zone
 * stops: one that is left behind by a crash names a process that is gone
 */
export async function keepEndpoint(
  zone: RunningZone, about: Pick<Endpoint, 'root' | 'pid' | 'startedAt'>,
  urlOf: (hostname: string, port: number) => string,
): Promise<() => Promise<void>> {
  const { config, files } = zone
  let ended = false
  let writing: Promise<void> = Promise.resolve()
  const write = async ({ hostname, port }: { hostname: string; port: number }): Promise<void> => {
    if (ended) return
    const endpoint: Endpoint = {
      zone: config.zone, host: config.host, owner: config.owner, url: urlOf(hostname, port), ...about,
    }
    await writeTo(files, endpoint)
  }
  await write(zone.address)
  zone.trace.on('actor', ({ host, actor, state }) => {
    if (host !== config.host || actor !== Gateway.name || state !== 'serving') return
    writing = writing.then(async () => write(await zone.get(Gateway).address({}))).catch(() => {})
  })
  return async () => {
    if (ended) return
    ended = true
    await writing
    await files.remove(file.endpoint)
  }
}

const writeTo = (files: Files, endpoint: Endpoint): Promise<void> =>
  files.write(file.endpoint, new TextEncoder().encode(`${JSON.stringify(endpoint)}\n`), { mode: 0o600 })
