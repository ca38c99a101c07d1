/** Installs what only benchmarks compare with, in bench/node_modules; the main package stays free of it. */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const folder = fileURLToPath(new URL('.', import.meta.url))
const { dependencies } = JSON.parse(readFileSync(`${folder}package.json`, 'utf8'))
const missing = Object.keys(dependencies).filter(name => !existsSync(`${folder}node_modules/${name}`))
if (missing.length > 0) {
  console.error(`Installing peers: ${missing.join(' ')}`)
  const command = ['install', '--no-audit', '--no-fund', '--no-package-lock']
  const { status } = spawnSync('npm', command, { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] })
  if (status !== 0) {
    console.error(`Peers could not be installed: ${missing.join(' ')}`)
    process.exitCode = 1
  }
}
