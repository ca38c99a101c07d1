/** The hidden command that completion scripts ask. */
export const COMPLETE = '__complete'
