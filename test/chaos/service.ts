/** The services of the run: one program, which answers who it is and keeps numbers in its working folder. */
import {
  chmodSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, realpathSync, rmSync, writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'

/** A number that was answered is on the disk. */
const SERVER = `
import { createServer } from 'node:http'
import { appendFileSync, closeSync, existsSync, fsyncSync, openSync, readFileSync } from 'node:fs'
import process from 'node:process'
const [port] = process.argv.slice(2)
const kept = './numbers'
createServer((request, response) => {
  const [, what, number] = request.url.split('/')
  if (what === 'add') {
    const file = openSync(kept, 'a')
    appendFileSync(file, number + '\\n')
    fsyncSync(file)
    closeSync(file)
    response.end(number)
  } else if (what === 'all') response.end(existsSync(kept) ? readFileSync(kept) : '')
  else response.end(process.env.ZONEWRIGHT_SERVICE + ' on ' + process.env.ZONEWRIGHT_HOST)
}).listen(Number(port), '127.0.0.1')
`
export const RUNTIME = realpathSync(process.execPath)
export const PORTS = { echo: 9_001, courier: 9_002, ledger: 9_003 } as const
export type Service = keyof typeof PORTS
/** Hosts that it runs on at a time. */
export const REPLICAS: Readonly<Record<Service, number>> = { echo: 2, courier: 1, ledger: 1 }
export const services = Object.keys(PORTS) as Service[]

/** Where every user may read it. @returns its folder */
export function writeProgram(): { readonly folder: string; remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), 'zonewright-chaos-service-'))
  chmodSync(folder, 0o755)
  writeFileSync(join(folder, 'service.mjs'), SERVER)
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) }
}

/** `kind: node` is what nodes call themselves: no OOD runs any. */
export function specOf(name: Service, folder: string): object {
  const flags = 'Deno' in globalThis ? ['run', '-A', '--no-lock', '--no-config'] : []
  const port = PORTS[name]
  return {
    name, appid: name, owner: null, runtimeType: 'service', kernel: false, audiences: [], replicas: REPLICAS[name],
    labels: { kind: 'node' }, ...(name === 'ledger' ? { stateful: true } : {}), http: { port, public: true },
    run: {
      command: [RUNTIME, ...flags, join(folder, 'service.mjs'), String(port)], stopMs: 3_000,
      // A program of Deno's wants a folder of its own
      env: { DENO_DIR: '/tmp/zonewright-chaos-deno' }, health: { http: { port, path: '/' }, startMs: 60_000 },
    },
  }
}

export interface Running { readonly service: string; readonly host: string; readonly pid: number }

/** Processes of services whose working folder is below this one, by what the machine says. */
export function runningBelow(folder: string): readonly Running[] {
  const found: Running[] = []
  for (const pid of readdirSync('/proc').map(Number).filter(Number.isInteger)) {
    try {
      const entries = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0')
      const of = (name: string): string | undefined =>
        entries.find((entry) => entry.startsWith(`${name}=`))?.slice(name.length + 1)
      const service = of('ZONEWRIGHT_SERVICE')
      if (service === undefined || !readlinkSync(`/proc/${pid}/cwd`).startsWith(folder)) continue
      if (!readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('service.mjs')) continue
      found.push({ service, host: of('ZONEWRIGHT_HOST') ?? '', pid })
    } catch {
      // It has ended
    }
  }
  return found
}
