import { defineError } from '../runtime/errors.ts'

/** The clocks of a host and its zone are further apart than a join allows. `skewMs`: how far the host's is behind. */
export const ClockSkew = defineError('ClockSkew')
