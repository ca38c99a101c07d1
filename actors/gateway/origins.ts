/** Where this gateway is reached, by how it was configured. */
export interface Address {
  readonly hostname: string
  readonly port: number
  /** Addresses of a proxy before it, such as `https://zone.example`. */
  readonly origins: readonly string[]
}

const LOOPBACK = ['127.0.0.1', 'localhost', '[::1]']
const isLoopback = (hostname: string): boolean => LOOPBACK.includes(hostname) || hostname.startsWith('127.')
const ANY: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '[::]': '[::1]' }

/**
 * The address by which a request came. Anybody may write anything into its Host: one that is not ours is answered as if
 * it had come by the first of ours, so that no document names an address of somebody else.
 */
export function originOf({ hostname, port, origins }: Address, host: string | undefined): string {
  const own = hostname.includes(':') ? `[${hostname}]` : hostname
  const asked = host?.toLowerCase() ?? ''
  const known = origins.find((origin) => new URL(origin).host === asked)
  if (known !== undefined) return known
  const names = isLoopback(own) || Object.hasOwn(ANY, own) ? [own, ...LOOPBACK] : [own]
  if (names.some((name) => !Object.hasOwn(ANY, name) && asked === `${name}:${port}`)) return `http://${asked}`
  return origins[0] ?? `http://${ANY[own] ?? own}:${port}`
}
