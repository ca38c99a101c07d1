/** `gen pems` in a folder of its own, as the command line calls it. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { genPems, type GenPems, type GenPemsOptions, type PemsProgress } from '../../boot/etcd/gen-pems.ts'
import { openPlatform } from '../../runtime/platform/index.ts'
import { createTrace, type StepEvent } from '../../runtime/trace.ts'

export const PATH = '/etc/rks/config.yaml'

const ENDPOINTS = ['https://etcd1.example:2379', 'https://10.0.0.2:2379', 'https://[fd00::3]:2379']

export const configText = (
  { endpoints = ENDPOINTS, more = '', keep = true, addr = '192.168.1.10:50051' }: {
    readonly endpoints?: readonly string[]; readonly more?: string; readonly keep?: boolean
    /** Where the zone listens for hosts, once it is started. */
    readonly addr?: string
  } = {},
): string => `addr: ${addr}
xline_config:
  endpoints: ${JSON.stringify(endpoints)}
  prefix: /zones
tls_config: { enable: true, keep_dangerous_files: ${keep} }
${more}`

export interface Run {
  readonly made: GenPems | undefined
  readonly error: Error & { readonly code?: string; readonly details?: Readonly<Record<string, unknown>> } | undefined
  readonly progress: readonly PemsProgress[]
  readonly steps: readonly StepEvent[]
  /** Everything that was told of it, as text. */
  readonly told: string
}

export const platform = await openPlatform()

export async function pemsIn(folder: string, options: Partial<GenPemsOptions> = {}): Promise<Run> {
  const trace = createTrace()
  const [steps, progress, told]: [StepEvent[], PemsProgress[], string[]] = [[], [], []]
  trace.on('*', (type, event) => void told.push(`${String(type)} ${JSON.stringify(event)}`))
  trace.on('step', (event) => void steps.push(event))
  const run = { progress, steps, get told() { return told.join('\n') } }
  try {
    const made = await genPems({
      platform, folder, config: { path: PATH, text: configText() }, trace,
      onProgress: (each) => void progress.push(each), ...options,
    })
    told.push(JSON.stringify({ ...made, files: undefined, identity: undefined }))
    return { ...run, told: told.join('\n'), made, error: undefined }
  } catch (error) {
    return { ...run, told: told.join('\n'), made: undefined, error: error as Run['error'] }
  }
}

const folders: string[] = []
export function newFolder(): string {
  const path = mkdtempSync(join(tmpdir(), 'zonewright-pems-'))
  folders.push(path)
  return path
}
export const removeFolders = (): void => {
  for (const path of folders.splice(0)) rmSync(path, { recursive: true, force: true })
}

/** Contents and mode of every file, but for stores, the audit and logs. */
export const picture = (folder: string): Readonly<Record<string, string>> => Object.fromEntries(
  readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort()
    .filter((name) => !/^(stores|audit|logs)(\/|$)/.test(name) && statSync(join(folder, name)).isFile())
    .map((name) => [name, `${(statSync(join(folder, name)).mode & 0o777).toString(8)} ${
      readFileSync(join(folder, name), 'utf8')}`]))

export const openssl = (...args: readonly string[]): { readonly status: number | null; readonly text: string } => {
  const { status, stdout, stderr } = spawnSync('openssl', args, { encoding: 'utf8' })
  return { status, text: stdout + stderr }
}
