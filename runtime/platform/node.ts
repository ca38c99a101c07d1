import process from 'node:process'
import { systemPlatform } from './system.ts'
import { channelPair, spawnWorker } from './worker-node.ts'

export { exposeControl } from './worker-node.ts'

export const openPlatform = () => systemPlatform(`node ${process.versions.node}`, {
  channelPair, spawn: spawnWorker, restrictsWorkers: false,
})
