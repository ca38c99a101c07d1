/** What the README says of three hosts, typed as it stands there, on hosts with addresses of their own. */
import { chmodSync, copyFileSync, mkdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs'
import { spawnSync } from 'node:child_process'
import { delimiter, dirname, join } from 'node:path'
import process from 'node:process'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { newFolder, removeFolders, start, type Started, zonewright } from './boot-fixtures/command-line.ts'
import { eventually } from './boot-fixtures/joined-hosts.ts'
import { makeNet, type TestNet } from './boot-fixtures/netns.ts'

const HOSTS = ['ood1', 'node1', 'node2', 'ood2']
const RUN_MS = 100_000
/** Several zones' worth of actors load beside each other. */
const SERVES_MS = 60_000
/** What goes on until it is ended: by then it serves, or waits. */
const SERVES: readonly (readonly [command: RegExp, printed: RegExp])[] = [
  [/ join --role ood/, /sends signing request/],
  [/^npx zonewright (up|start|join|node)(?= |$)(?!.*--systemd)/, /Ctrl-C stops it/],
  [/^etcd /, /(?:)/],
]
/** Where a person is asked who is not here. */
const ASKED: readonly (readonly [command: RegExp, more: string])[] = [
  [/^npx zonewright login$/, '--password-file password'], [/ (revoke|hosts approve) /, '--yes'],
]

let net: TestNet
const root = newFolder()
const folder = (host: string): string => join(root, host)
const running = new Map<string, Started>()
let section = ''
/** By the line of the README that introduces them. */
let blocks: readonly { readonly text: string; readonly kind: string; readonly before: string }[]
const typed = new Set<string>()

test.before(() => {
  net = makeNet(HOSTS)
  section = readFileSync('README.md', 'utf8').split('\n## Three hosts\n')[1]!.split('\n## ')[0]!
    .replaceAll('/usr/bin/python3.11', realpathSync('/usr/bin/python3'))
  for (const [index, host] of HOSTS.entries()) {
    section = section.replaceAll(`192.168.1.${index + 10}`, net.address(host))
    mkdirSync(folder(host))
  }
  blocks = [...section.matchAll(/((?:.+\n)*)\n```(\w+)\n([^]*?)```/g)]
    .map(([, before = '', kind = '', text = '']) => ({ before, kind, text }))
  // As npm makes it in the checkout
  const npx = join(root, 'npx')
  writeFileSync(npx, `#!/bin/sh\nshift\nexec ${zonewright.join(' ')} "$@"\n`)
  chmodSync(npx, 0o755)
})
test.after(async () => {
  // With all that runs there
  net?.remove()
  for (const one of running.values()) await one.ended
  removeFolders()
})

const yaml = (before: RegExp): string => blocks.find((one) => one.kind === 'yaml' && before.test(one.before))!.text

function type(host: string, line: string): Started {
  typed.add(line)
  const [, more = ''] = ASKED.find(([command]) => command.test(line)) ?? []
  const own = { PATH: [root, process.env['PATH'], dirname(process.execPath)].join(delimiter) }
  return start(net.on(host, ['sh', '-c', `exec ${line} ${more}`]), { cwd: folder(host), msMax: RUN_MS, env: own })
}

/** All commands of the next block, each on its host. @returns what they printed, by command */
async function run(block: string): Promise<ReadonlyMap<string, string>> {
  const printed = new Map<string, string>()
  let host = ''
  for (const line of block.replaceAll('\\\n', ' ').split('\n').filter(Boolean)) {
    const place = /^# (\w+)(.*)$/.exec(line)
    if (place) {
      host = place[1]!
      if (place[2]!.endsWith('Ctrl-C')) await interrupt(host)
      continue
    }
    const [, serves] = SERVES.find(([command]) => command.test(line)) ?? []
    if (serves) {
      const name = line.startsWith('etcd ') ? 'etcd' : host
      running.set(name, type(host, line))
      const [text] = await running.get(name)!.printed(serves, SERVES_MS)
      printed.set(line, text)
    } else {
      const ended = await type(host, line).ended
      assert.is(ended.exitCode, 0, `${host}: ${line}: ${ended.stdout}${ended.stderr}`)
      printed.set(line, ended.stdout)
    }
    if (/ up --config config.yaml$/.test(line)) await keepPassword()
  }
  return printed
}

async function interrupt(host: string): Promise<void> {
  running.get(host)!.signal('SIGINT')
  const { exitCode, stderr } = await running.get(host)!.ended
  assert.is(exitCode, 0, stderr)
}

async function keepPassword(): Promise<void> {
  const [, password = ''] = await running.get('ood1')!.printed(/with the password (\S+)/)
  writeFileSync(join(folder('ood1'), 'password'), `${password}\n`, { mode: 0o600 })
}

/** What a person brings to a host. */
function bring(host: string): void {
  for (const name of [`${host}.join-token`, 'root.pem']) {
    copyFileSync(join(folder('ood1'), `for-${host}`, name), join(folder(host), name))
  }
}

const commands = blocksOfCommands()
function blocksOfCommands(): () => string {
  let at = 0
  return () => blocks.filter(({ kind }) => kind === 'sh')[at++]!.text
}
const said = (printed: ReadonlyMap<string, string>, command: string): string =>
  [...printed].find(([line]) => line.includes(command))![1]
const show = async (): Promise<string> => (await type('ood1', 'npx zonewright services show shop').ended).stdout

test('a zone of one OOD, and a token for each of two hosts', async () => {
  writeFileSync(join(folder('ood1'), 'config.yaml'), yaml(/^`config.yaml` on `ood1`/m))
  writeFileSync(join(folder('ood1'), 'shop.yaml'), yaml(/`shop.yaml` on\n`ood1`/))
  for (const host of ['node1', 'node2']) {
    mkdirSync(join(folder(host), '.host'))
    writeFileSync(join(folder(host), '.host', 'zone.yaml'), yaml(/in `.host\/zone.yaml`/))
  }
  await run(commands())
  for (const host of ['node1', 'node2']) bring(host)
})

test('both join; a service is placed on the first, is seen, and is called from the second', async () => {
  await run(commands())
  const printed = await run(commands())
  assert.match(said(printed, 'services add'), /serving.* on node1/)
  for (const host of ['node1', 'node2']) {
    assert.match(said(printed, ' hosts'), new RegExp(`^${host} +node`, 'm'))
    assert.match(said(printed, ' ps'), new RegExp(`^${host} +node-daemon +worker`, 'm'))
  }
  assert.match(said(printed, ' ps'), /^node1 +shop +process +serving/m)
  assert.match(said(printed, ' status'), /^hosts +3 of 3 serving$/m)
  assert.match(said(printed, ' status'), /healthy/)
  assert.match(said(printed, 'services show'), /^placed on +node1$/m)
  assert.match(said(printed, 'curl'), /Directory listing/)
  for (const command of ['kill node1', 'logs shop', 'logs node1/gateway']) {
    const { exitCode, stderr } = await type('ood1', `npx zonewright ${command}`).ended
    assert.is(exitCode, 2, stderr)
    assert.match(stderr, /runs on another machine.*: node1\n +next: /, command)
  }
})

test('it goes elsewhere when its host is drained or revoked, and the host joins again by another token', async () => {
  const printed = await run(commands())
  assert.match(said(printed, 'drain node1'), /shop +node1 → node2/)
  assert.match(said(printed, 'revoke'), /^Revoked: node2/m)
  await eventually('it serves on node1', async () => /^node1 +serving/m.test(await show()), 20_000)
  bring('node2')
  await run(commands())
  assert.match((await type('ood1', 'npx zonewright hosts').ended).stdout, /^node2 +node +(up|unknown|joined)/m)
})

test('a host runs again from its folder; units for systemd are whole, and hold no secret', async () => {
  const printed = await run(commands())
  assert.match(said(printed, 'join-tokens'), /node1 +used/)
  for (const host of ['node1', 'ood1']) verifyUnit(host)
})

function verifyUnit(host: string): void {
  const path = join(folder(host), 'zonewright.service')
  const unit = readFileSync(path, 'utf8')
  for (const line of ['Restart=always', 'NoNewPrivileges=yes', 'ProtectSystem=strict']) {
    assert.ok(unit.split('\n').includes(line), line)
  }
  assert.not.match(/^ExecStart=.*/m.exec(unit)![0], /owner|pass|token/)
  const { status, error, stderr } = spawnSync('systemd-analyze', ['verify', path], { encoding: 'utf8' })
  if (!error) assert.is(status, 0, stderr)
}

test('its stores in etcd, the zone gets another OOD by the word of its owner', async () => {
  const path = join(folder('ood1'), 'config.yaml')
  writeFileSync(path, readFileSync(path, 'utf8') + yaml(/add to its `config.yaml`/))
  const moving = commands().split(/(?=# ood2)/)
  await run(moving[0]!)
  bring('ood2')
  await run(moving[1]!)
  let fingerprint = ''
  await eventually('it waits', async () => {
    const pending = (await type('ood1', 'npx zonewright hosts pending').ended).stdout
    fingerprint = /^ood2 +waits .* (\S{43})$/m.exec(pending)?.[1] ?? ''
    return fingerprint !== ''
  })
  const [approving, serving] = commands().split(/(?=# ood2, in)/)
  await run(approving!.replace('FINGERPRINT', fingerprint))
  typed.add(approving!.trim().split('\n').at(-1)!)
  const ended = await running.get('ood2')!.ended
  assert.is(ended.exitCode, 0, ended.stderr)
  assert.ok(ended.stderr.includes(fingerprint), 'it has shown the same')
  const printed = await run(serving!)
  assert.match(said(printed, ' hosts'), /^ood2 +ood +(up|unknown)/m)
  verifyUnit('ood2')
  for (const host of ['node1', 'node2']) assert.match(said(printed, ' hosts'), new RegExp(`^${host} +node`, 'm'))
})

test('no command of that section was left out', () => {
  const all = blocks.filter(({ kind }) => kind === 'sh').map(({ text }) => text).join('').replaceAll('\\\n', ' ')
    .split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  assert.ok(all.length >= 25, String(all.length))
  assert.equal(all.filter((line) => !typed.has(line)), [])
})

test.run()
