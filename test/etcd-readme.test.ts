/** What the README says of etcd, typed as it stands there. */
import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { initSequence } from '../boot/sequences.ts'
import { newFolder, removeFolders, start, zonewright, type Ended } from './boot-fixtures/command-line.ts'
import { freePort } from './runtime/etcd-server.ts'

const cwd = newFolder()
const port = String(await freePort())
const peers = `http://127.0.0.1:${await freePort()}`
const section = readFileSync('README.md', 'utf8')
  .split('\n## On etcd\n')[1]!.split('\n## ')[0]!.replaceAll('2379', port)
const blocks = (kind: string): readonly string[] =>
  [...section.matchAll(new RegExp(`\`\`\`${kind}\\n(.*?)\`\`\``, 'gs'))].map(([, text]) => text!)
const lines = blocks('sh').join('').replaceAll('\\\n', ' ').split('\n')
  .map((line) => line.replace(/\s+#.*$/, '').trim()).filter(Boolean)
const commands = lines.filter((line) => line.startsWith('npx zonewright ')).map((line) => line.split(/\s+/).slice(2))
const tried = new Set<string>()

let etcd: ChildProcess | undefined
test.after(() => {
  etcd?.kill('SIGKILL')
  removeFolders()
})

function run(words: readonly string[], ...more: readonly string[]): Promise<Ended> {
  tried.add(words.join(' '))
  return start([...zonewright, ...words, ...more], { cwd }).ended
}
const command = (first: string): readonly string[] => commands.find((words) => words.join(' ').startsWith(first))!

test('the certificates are made, and the flags that are printed are those of the README', async () => {
  writeFileSync(join(cwd, 'config.yaml'), blocks('yaml')[0]!)
  const { exitCode, stdout, stderr } = await run(command('gen pems'))
  assert.is(exitCode, 0, stderr)
  const flags = lines.find((line) => line.startsWith('etcd '))!.split(/\s+/)
    .filter((flag) => /^--(cert|key|trusted)/.test(flag))
  assert.is(flags.length, 3)
  for (const flag of flags) assert.ok(stdout.includes(flag.replace('=', `=${cwd}/`)), flag)
  for (const [, path] of flags.map((flag) => flag.split('='))) assert.ok(existsSync(join(cwd, path!)), path)
})

test('etcd runs by the command of the README, and the zone starts on it, through every documented step', async () => {
  const [program, ...flags] = lines.find((line) => line.startsWith('etcd '))!.split(/\s+/)
  const ours = [
    `--listen-peer-urls=${peers}`, `--initial-advertise-peer-urls=${peers}`, `--initial-cluster=default=${peers}`,
  ]
  etcd = spawn(program!, [...flags, ...ours], { cwd, stdio: 'ignore' })
  const { exitCode, stdout, stderr } = await run(command('start'), '--once', '--json')
  assert.is(exitCode, 0, stdout + stderr)
  const answer = JSON.parse(stdout) as {
    ready: boolean; steps: { number: number }[]; etcd: { movedNow: boolean; stores: object[] }
    selfCheck: { failed: number }
  }
  assert.equal(answer.steps.map(({ number }) => number), initSequence.steps.map(({ number }) => number))
  assert.is(answer.ready && answer.etcd.movedNow, true)
  assert.ok(answer.etcd.stores.length > 0)
  assert.is(answer.selfCheck.failed, 0)
})

test('again, renewed, and recovered: each command does what the README says', async () => {
  const again = JSON.parse((await run(command('gen pems'), '--json')).stdout) as { changed: boolean }
  assert.is(again.changed, false)
  const renewed = JSON.parse((await run(commands.find((words) => words.includes('--renew'))!, '--json')).stdout) as {
    certificates: { made: boolean }[]
  }
  assert.ok(renewed.certificates.every(({ made }) => made))
  const { exitCode, stdout } = await run(command('recover etcd'), '--json')
  assert.is(exitCode, 0, stdout)
  assert.is((JSON.parse(stdout) as { changed: boolean }).changed, false, 'they are good')
})

test('a start that shows its steps as lines shows those of gen pems as well, and a diagram of all', async () => {
  const { exitCode, stdout, stderr } = await run(command('start'), '--once', '--diagram')
  assert.is(exitCode, 0, stdout + stderr)
  assert.match(stdout, / 1 .*admin → ood.*runs gen pems/)
  assert.match(stdout, /14 .*ood → admin.*is ready/)
  assert.match(stdout, /the stores are in etcd since .*: nothing to move/)
  assert.match(stdout, /p_vault->>p_etcd: 10\. writes what the stores hold/)
  const sealed = await run(command('gen pems'), '--dir', 'nowhere/else', '--owner-key', 'missing.key')
  assert.is(sealed.exitCode, 15)
})

test('no command of that section was left out', () => {
  assert.equal(commands.map((words) => words.join(' ')).filter((line) => !tried.has(line)), [])
  assert.ok(commands.length >= 5)
})

test.run()
