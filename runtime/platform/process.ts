import { StartFailed } from '../errors.ts'
import type { Host } from './ports.ts'

export const spawnProcess: Host['spawnProcess'] = async ({ command }) => {
  throw new StartFailed(`Processes are not started yet: ${command[0]}`)
}
