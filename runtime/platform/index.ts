/** The adapter of the runtime that this program runs on. */
const adapter = 'Deno' in globalThis ? await import('./deno.ts') : await import('./node.ts')

export const openPlatform = adapter.openPlatform
export const exposeControl = adapter.exposeControl
