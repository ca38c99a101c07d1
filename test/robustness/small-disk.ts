import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'

/** A disk that can be full; gone with the process. */
export interface SmallDisk {
  readonly kind: 'tmpfs' | 'file size limit'
  readonly path: string
  /** No byte more can be written, but for so many. */
  fill(butBytes?: number): void
  free(): void
}

const run = (program: string, ...args: string[]): boolean => spawnSync(program, args, { stdio: 'ignore' }).status === 0

/** A file system of its own, where this user may mount one. */
export function mountedDisk(megabytes: number): SmallDisk | undefined {
  const path = mkdtempSync(join(tmpdir(), 'zonewright-disk-'))
  if (!run('mount', '-t', 'tmpfs', '-o', `size=${megabytes}m,mode=0700`, 'tmpfs', path)) {
    rmSync(path, { recursive: true })
    return undefined
  }
  const ballast = join(path, 'ballast')
  process.on('exit', () => {
    run('umount', '-l', path)
    rmSync(path, { recursive: true, force: true })
  })
  return {
    kind: 'tmpfs',
    path,
    fill(butBytes = 0) {
      const kept = new Uint8Array(butBytes)
      writeFileSync(join(path, 'kept-free'), kept)
      const chunk = new Uint8Array(64 * 1024)
      for (let size = chunk.length; size >= 1;) {
        try {
          writeFileSync(ballast, chunk.subarray(0, size), { flag: 'a' })
        } catch (error) {
          if ((error as { code?: string }).code !== 'ENOSPC') throw error
          size = size === 1 ? 0 : size >> 1
        }
      }
      rmSync(join(path, 'kept-free'))
    },
    free: () => rmSync(ballast, { force: true }),
  }
}

/** A limit on the size of this process's files, which anyone may set: one for all of them. */
export function limitedDisk(): SmallDisk {
  const path = mkdtempSync(join(tmpdir(), 'zonewright-disk-'))
  // Where the runtime has not: the signal would end the process before the write can fail
  process.on('SIGXFSZ', () => {})
  process.on('exit', () => rmSync(path, { recursive: true, force: true }))
  const limit = (bytes: string): void => {
    if (!run('prlimit', '--pid', String(process.pid), `--fsize=${bytes}:unlimited`)) throw new Error('No prlimit')
  }
  return {
    kind: 'file size limit',
    path,
    fill: (butBytes = 0) => limit(String(1 + butBytes)),
    free: () => limit('unlimited'),
  }
}

