import { defineError } from '../errors.ts'

/** Simulated code used something that no seed controls; the message names the caller. */
export const Nondeterminism = defineError('Nondeterminism')
