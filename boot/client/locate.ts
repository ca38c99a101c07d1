import { readEndpoint, type Endpoint } from '../endpoint.ts'
import { Usage, ZoneNotRunning } from '../errors.ts'
import { file } from '../init.ts'
import type { Terminal } from '../terminal.ts'

export const DEFAULT_DIR = './.zone'

/** What of the command line says which zone is meant. */
export interface Where {
  readonly dir: string
  readonly url?: string
}

export interface Located {
  readonly hostname: string
  readonly port: number
  /** As a person would write it. */
  readonly url: string
  /** Names the zone among others of this user: where its session is kept. */
  readonly scope: string
  /** Unknown where only a URL was given. */
  readonly endpoint: Endpoint | undefined
}

/** @throws ZoneNotRunning, Usage */
export async function locate(terminal: Terminal, { dir, url }: Where): Promise<Located> {
  if (url !== undefined) return fromUrl(url)
  const path = terminal.absolute(`${dir}/${file.endpoint}`)
  const text = await terminal.read(path).catch((error: Error & { code?: string }) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined
    throw notRunning(terminal, `The file that says where the zone is cannot be read (${error.code})`, path)
  })
  if (text === undefined) throw notRunning(terminal, `No zone runs from ${terminal.absolute(dir)}`, path)
  const endpoint = readEndpoint(text)
  if (!endpoint) throw notRunning(terminal, 'The file that says where the zone is cannot be understood', path)
  if (!terminal.isRunning(endpoint.pid)) {
    const what = `The zone ${endpoint.zone} does not run any more: process ${endpoint.pid} is gone`
    throw notRunning(terminal, what, path)
  }
  const { hostname, port } = parts(endpoint.url)
  return { hostname, port, url: endpoint.url, scope: `${endpoint.zone}-${endpoint.root.slice(0, 16)}`, endpoint }
}

const notRunning = ({ invocation }: Terminal, what: string, path: string): Error =>
  new ZoneNotRunning(what, { path, next: `${invocation} up, or say where it is by --dir or --url` })

function parts(url: string): { hostname: string; port: number } {
  const { hostname, port } = new URL(url)
  return { hostname: hostname.replace(/^\[|\]$/g, ''), port: port === '' ? 80 : Number(port) }
}

const LOOPBACK = /^(127(\.\d{1,3}){3}|::1|localhost)$/

/** Passwords and tokens go there, and HTTP hides nothing. */
function fromUrl(text: string): Located {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url?.protocol !== 'http:' || url.username !== '' || url.pathname !== '/' || url.search !== '') {
    throw new Usage(`It is not the address of a zone: ${text}`, { next: 'It looks like http://127.0.0.1:8080' })
  }
  const { hostname, port } = parts(text)
  if (!LOOPBACK.test(hostname)) {
    throw new Usage(`HTTP to another machine would show the password to the network: ${text}`, {
      next: `Forward the port, and give that: ssh -L ${port}:127.0.0.1:${port} ${hostname}`,
    })
  }
  return { hostname, port, url: url.origin, scope: `url-${hostname.replaceAll(':', '_')}-${port}`, endpoint: undefined }
}
