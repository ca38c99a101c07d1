/** A module that waits for ever. */
export default await new Promise<never>(() => {})
