/** `zonewright up` as a program of its own, started and killed by the soak. */
import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'

export interface ZoneProgram {
  readonly url: string
  readonly password: string | undefined
  readonly processId: number
  /** `kill -9`. */
  kill(): Promise<void>
  /** Ctrl-C. @returns its exit code */
  stop(): Promise<number | null>
  /** Megabytes that are in memory now. */
  residentMb(): number
}

const START_MS = 120_000
const onDeno = 'Deno' in globalThis
const cli = onDeno ? ['run', '-A', '--unstable-worker-options', 'boot/cli.ts'] : ['boot/bin.mjs']

/** Settles when it serves. */
export function startZone(folder: string, args: readonly string[]): Promise<ZoneProgram> {
  const child = spawn(process.execPath, [...cli, 'up', '--dir', folder, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, NO_COLOR: '1' },
  })
  return new Promise((resolve, reject) => {
    let output = ''
    let isRunning = false
    const late = setTimeout(() => {
      child.kill('SIGKILL')
      reject(new Error(`The zone was not ready within ${START_MS / 1000} s:\n${output}`))
    }, START_MS)
    const look = (chunk: unknown): void => {
      // What it says later is of no use here, but has to be read
      if (isRunning) return
      output = `${output}${String(chunk)}`.slice(-20_000)
      if (!/^Ctrl-C stops it/m.test(output)) return
      isRunning = true
      clearTimeout(late)
      const [, url] = /(http:\/\/\S+\/)/.exec(output) ?? []
      const [, password] = /with the password (\S+)/.exec(output) ?? []
      if (url === undefined) return reject(new Error(`The zone did not say where it is:\n${output}`))
      resolve(running(child, url, password))
    }
    child.stdout.on('data', look)
    child.stderr.on('data', look)
    child.on('exit', (code) => {
      clearTimeout(late)
      reject(new Error(`The zone ended with exit code ${code}:\n${output}`))
    })
  })
}

function running(child: ChildProcess, url: string, password: string | undefined): ZoneProgram {
  const ended = new Promise<number | null>((resolve) => child.on('exit', resolve))
  const processId = child.pid ?? 0
  return {
    url, password, processId,
    async kill() {
      child.kill('SIGKILL')
      await ended
    },
    async stop() {
      child.kill('SIGINT')
      return ended
    },
    residentMb() {
      const status = readFileSync(join('/proc', String(processId), 'status'), 'utf8')
      const [, kilobytes = '0'] = /VmRSS:\s+(\d+)/.exec(status) ?? []
      return Math.round(Number(kilobytes) / 1024)
    },
  }
}
