/**
 * System parts that tests need and npm cannot bring. As root on Debian the missing ones are installed; elsewhere they
 * are named, and the tests that need them fail. Silent and instant where all are present.
 */
import { spawnSync } from 'node:child_process'
import { accessSync, chmodSync, constants, existsSync, rmSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import process from 'node:process'

interface SystemPart {
  /** What must be in the PATH. */
  readonly program: string
  /** The Debian package that holds it. */
  readonly package: string
  readonly neededFor: string
}

const parts: readonly SystemPart[] = [
  { program: 'etcd', package: 'etcd-server', neededFor: 'the Store compliance suite on a real etcd' },
  { program: 'openssl', package: 'openssl', neededFor: 'the judgement of certificates' },
  { program: 'certtool', package: 'gnutls-bin', neededFor: 'the judgement of certificates' },
  { program: 'dig', package: 'bind9-dnsutils', neededFor: 'asking the DNS of a zone as others do' },
  { program: 'ip', package: 'iproute2', neededFor: 'test hosts with addresses of their own' },
  { program: 'iptables', package: 'iptables', neededFor: 'lines between test hosts that lose what they carry' },
  { program: 'etcdctl', package: 'etcd-client', neededFor: 'looking into that etcd from outside' },
]

const installMsMax = 300_000

const inPath = (program: string): boolean =>
  [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin'].some(folder => {
    try {
      accessSync(join(folder, program), constants.X_OK)
      return true
    } catch {
      return false
    }
  })

const absent = (): readonly SystemPart[] => parts.filter(part => !inPath(part.program))

const apt = (...args: string[]): boolean =>
  spawnSync('apt-get', ['-qq', '-o', 'DPkg::Lock::Timeout=120', ...args], {
    stdio: ['ignore', 'ignore', 'inherit'],
    timeout: installMsMax,
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  }).status === 0

/** Debian starts a server when its package is installed, unless this file says no (policy-rc.d(5), invoke-rc.d(8)). */
const withoutStartingServices = (task: () => void): void => {
  const policy = '/usr/sbin/policy-rc.d'
  const ours = !existsSync(policy)
  if (ours) {
    writeFileSync(policy, '#!/bin/sh\nexit 101\n', { flag: 'wx' })
    chmodSync(policy, 0o755)
  }
  try {
    task()
  } finally {
    if (ours) rmSync(policy)
  }
}

/** @returns lines that name what is still missing, what needs it and how to install it; none when all is there. */
export const setUp = (say: (line: string) => void): readonly string[] => {
  const wanted = absent()
  if (wanted.length === 0) return []
  const packages = wanted.map(part => part.package)
  if (process.getuid?.() === 0 && existsSync('/etc/debian_version') && inPath('apt-get')) {
    say(`Installing system parts: ${packages.join(' ')}`)
    withoutStartingServices(() => {
      const install = (): boolean => apt('install', '--yes', '--no-install-recommends', ...packages)
      // The lists may be absent (a fresh container) or stale.
      if (!install() && apt('update')) install()
    })
  }
  const missing = absent()
  if (missing.length === 0) return []
  const name = (part: SystemPart): string => `${part.program} (Debian package ${part.package}), for ${part.neededFor}`
  return [
    ...missing.map(part => `Missing system part: ${name(part)}`),
    `Install with: sudo apt-get install ${missing.map(part => part.package).join(' ')}`,
  ]
}
