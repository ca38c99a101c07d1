/** Stands in for `runtime/link/seal.ts` in the build that says what authenticity costs. It exists in bench/ only. */
export const SIGNED = 1
export const CLOSING = 2

export const createProtection = () => ({
  seal: (body: string, flags: number): string => String.fromCharCode(flags) + body,
  open: (frame: string) => ({ body: frame.slice(1), flags: frame.charCodeAt(0) }),
})
