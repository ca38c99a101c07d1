/** The one key that both kinds of `get` ask for: a device may write below it, and any session of a device read it. */
export const key = 'services/bench/instances/ood1'
/** 200 bytes as JSON, with the revision beside it. */
export const value = 'x'.repeat(170)
