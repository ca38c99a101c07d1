import { actor } from '../../runtime/actor.ts'
import { deniedBy } from '../../runtime/trust/denial.ts'
import { linkAllowed } from '../trust-matrix.ts'
import { enforcing } from './enforcing.ts'
import { explaining } from './explaining.ts'
import { krpc } from './krpc.ts'
import { leading } from './leading.ts'
import { SystemConfig } from './protocol.ts'
import { reading } from './reading.ts'
import { openState } from './state.ts'
import { writing } from './writing.ts'

export default actor(SystemConfig, {}, async (start) => {
  const { self, denials } = start
  const state = await openState(start)
  const own = { ...reading(state, start), ...writing(state), ...explaining(state) }
  return {
    handlers: { ...own, ...enforcing(state, start), ...leading(state, start), ...krpc(own) },
    lifecycle: {
      authenticate: state.sessions.authenticate,
      admit: (peer, base) => {
        const verdict = linkAllowed(peer, { self, phase: state.trust.phase, roleOf: start.roleOf, base })
        if (!verdict.allowed) denials.denied([deniedBy(verdict.denial)])
        return verdict.allowed
      },
    },
  }
})
