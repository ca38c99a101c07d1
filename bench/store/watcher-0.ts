import { watchers } from './protocol.ts'
import { watcherActor } from './watcher.ts'

export default watcherActor(watchers[0])
