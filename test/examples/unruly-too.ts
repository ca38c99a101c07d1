import { actor } from '../../runtime/actor.ts'
import { mailbox, start } from './unruly.ts'
import { UnrulyToo } from './unruly-protocol.ts'

export default actor(UnrulyToo, { mailbox }, start)
