import { systemPlatform } from './system.ts'
import { channelPair, restricted, spawnWorker } from './worker-deno.ts'

export { exposeControl } from './worker-deno.ts'

const LEAST = [2, 9] as const

/** @throws Error below Deno 2.9, whose TLS server accepts clients without a certificate */
export function openPlatform() {
  const version = (globalThis as unknown as { Deno: { version: { deno: string } } }).Deno.version.deno
  const [major = 0, minor = 0] = version.split('.').map(Number)
  if (major < LEAST[0] || (major === LEAST[0] && minor < LEAST[1])) {
    throw new Error(`Deno ${LEAST.join('.')} or later is needed: ${version}`)
  }
  return systemPlatform(`deno ${version}`, { channelPair, spawn: spawnWorker, restrictsWorkers: restricted })
}
