import { serverOf } from '../../actors/host-identity.ts'
import { isName } from '../../actors/records.ts'
import { decodePems, encodePem } from '../../runtime/x509/pem.ts'
import { isEvery } from '../config-rk8s.ts'
import { Usage } from '../errors.ts'
import type { Terminal } from '../terminal.ts'
import { textFile } from './files.ts'

/** What `join` is given, checked before anything is done. All throw Usage. */

export function hostOf({ host }: { readonly host?: string }, ofToken: string | undefined): string {
  const name = host ?? ofToken
  if (name !== undefined && isName(name)) return name
  throw new Usage(name === undefined ? 'Who is this host?' : `It is no name for a host: ${name}`, {
    next: 'Give --host as the token was made for: a to z, 0 to 9, - and _',
  })
}

export function addressOf(server: string | undefined): { hostname: string; port: number } {
  const [, name = '', port = ''] = /^(\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z.-]+):(\d{1,5})$/.exec(server ?? '') ?? []
  if (name === '' || Number(port) > 65_535 || Number(port) === 0) {
    throw new Usage(`It is no address of a control plane: ${server ?? 'none'}`, {
      next: 'Give --server HOST:PORT, such as 192.168.1.10:50051',
    })
  }
  return { hostname: name.replace(/^\[|\]$/g, ''), port: Number(port) }
}

/** Where an OOD takes hosts: of the config's `addr`. */
export function listenOf(address: string | undefined): string {
  const [, port = ''] = /^(?:\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z.-]+):(\d{1,5})$/.exec(address ?? '') ?? []
  if (address !== undefined && Number(port) >= 1 && Number(port) <= 65_535) {
    if (!isEvery(serverOf(address).hostname)) return address
    throw new Usage(`No other host can connect to ${address}, and it is told to all of them`, {
      next: 'Give --listen HOST:PORT with a name or address of this host: 192.168.1.11:50051',
    })
  }
  throw new Usage(`Where does this OOD listen for hosts: ${address ?? 'not given'}`, {
    next: 'Give --listen HOST:PORT, as other hosts reach it: 192.168.1.11:50051',
  })
}

/** Before a token is shown where it is refused. */
export function demandRole({ role }: { readonly role?: string }, wanted: 'node' | 'ood'): void {
  // A client device is told apart by its token alone
  const asked = role === 'client-device' ? 'node' : role
  if (asked === undefined || asked === wanted) return
  throw new Usage(`The token is for a host of the role ${role}, not ${wanted}`, {
    next: role === 'ood' ? 'Give --role ood' : 'Leave --role out',
  })
}

const ROOTS_MAX = 16

export async function rootsIn(terminal: Terminal, path: string): Promise<readonly string[]> {
  const text = await textFile(terminal, path, 'root certificate')
  const roots = decodePems(text, 'CERTIFICATE', ROOTS_MAX).map((der) => encodePem('CERTIFICATE', der))
  if (roots.length > 0) return roots
  throw new Usage(`There is no certificate in the file: ${path}`, { path, next: 'Give root.pem of gen join-token' })
}
