import { defineError } from '../runtime/errors.ts'

/** The clocks of a host and of its zone are further apart than a join allows. `details.skewMs`: the host's is behind. */
export const ClockSkew = defineError('ClockSkew')
