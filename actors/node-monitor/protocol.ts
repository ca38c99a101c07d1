import { protocol } from '../../runtime/protocol.ts'
import { krpcCall, krpcStream } from '../krpc-protocol.ts'

/** Knows which hosts of the zone are up. */
export const NodeMonitor = protocol('node-monitor', {
  krpc: krpcCall(),
  /** `changes`: how it stands now, then each change. */
  krpcStream: krpcStream(),
})
