import { AddressNotLocal, PortInUse } from '../errors.ts'

/** Why nothing can listen there, in our words where a person can do something about it. */
export function listenFault(
  error: Error & { readonly code?: string }, { hostname, port }: { readonly hostname: string; readonly port: number },
): Error {
  if (error.code === 'EADDRINUSE') return new PortInUse(`The port is in use: ${port}`, { port })
  // Deno gives it the other name, which a Unix socket has for a path that is too long
  if (error.code === 'EADDRNOTAVAIL' || (error.code === 'EINVAL' && hostname !== '')) {
    return new AddressNotLocal(`This machine has no address ${hostname} to listen on`, { hostname, port })
  }
  return error
}
